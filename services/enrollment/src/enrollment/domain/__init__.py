"""Enrollment's rules: pure, over frozen values. No input or output, no clock, no framework."""
