"""Who calls and what they may do: the `Principal` with its grants, and the verification of access tokens.

Which rows somebody may see is a predicate in each service's queries; here are only roles and scopes.
"""

from shared.security.keys import IdentityUnavailableError, IssuerKeys
from shared.security.principal import (
    Grant,
    Principal,
    Role,
    ScopeKind,
    describe_grant,
    describe_guardians,
    follow_grant,
    principal_of,
)
from shared.security.tokens import TokenRefusedError, TokenVerifier

__all__ = [
    "Grant",
    "IdentityUnavailableError",
    "IssuerKeys",
    "Principal",
    "Role",
    "ScopeKind",
    "TokenRefusedError",
    "TokenVerifier",
    "describe_grant",
    "describe_guardians",
    "follow_grant",
    "principal_of",
]
