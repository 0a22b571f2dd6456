"""What every request finds on the app it came to, and what is known of the request itself."""

from dataclasses import dataclass, field
from uuid import UUID

from starlette.types import Scope

from shared.database import Cause
from shared.edge import Edge
from shared.http.turns import Queue
from shared.security import TokenVerifier
from shared.settings import Settings
from shared.texts import Texts


@dataclass(frozen=True, slots=True)
class Wiring:
    """The parts of the process that requests need; kept as `app.state.wiring`."""

    service: str
    settings: Settings
    edge: Edge
    verifier: TokenVerifier
    texts: Texts
    queue: Queue = field(default_factory=Queue)


def wiring_of(scope: Scope) -> Wiring:
    """The wiring of the app that serves this request."""
    wiring: Wiring = scope["app"].state.wiring
    return wiring


def cause_of(scope: Scope) -> Cause:
    """Why transactions of this request run: set by `shared.http.observation`."""
    cause: Cause = scope["state"]["cause"]
    return cause


def correlation_id_of(scope: Scope) -> UUID:
    """What ties together all that this request leads to, in every service."""
    return cause_of(scope).correlation_id
