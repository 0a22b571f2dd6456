"""What can be wrong with a request, in business words. Knows no HTTP: `shared.http` maps each kind once.

A service's own errors live in its `domain.py`, beside the rule that raises them, and carry a stable `code`.
An expected outcome of a saga step (held or declined) is a value, never one of these.
"""

from typing import ClassVar


class DomainError(Exception):
    """A request that cannot be done. `code` is stable and has a text in every language of the service.

    `values` fill the placeholders of that text and are shown to the caller: never put personal data there.
    """

    code: ClassVar[str] = "refused"

    def __init__(self, code: str | None = None, **values: str | int) -> None:
        self.stable_code = code or self.code
        self.values = values
        super().__init__(self.stable_code)


class NotFoundError(DomainError):
    """The thing does not exist, or not for this caller: the two must look the same."""

    code = "not_found"


class ConflictError(DomainError):
    """The state of things does not allow it."""

    code = "conflict"


class ForbiddenError(DomainError):
    """The caller lacks the role for this, whatever the thing."""

    code = "forbidden"


class InvalidError(DomainError):
    """The request is well formed, yet its content breaks a rule (HTTP 422)."""

    code = "invalid"
