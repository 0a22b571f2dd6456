"""Every SQL statement of enrollment, one module per aggregate. Decides nothing and commits nothing."""

from enrollment.repository import enrollments, groups, people, reviews, rights

__all__ = ["enrollments", "groups", "people", "reviews", "rights"]
