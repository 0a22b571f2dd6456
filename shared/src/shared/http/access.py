"""What an endpoint can ask for by its parameters: the transaction, who calls, and their language.

The transaction is committed before the answer is sent (`scope="function"`): an answer is never ahead of the
truth. Nobody is given a transaction without a good token, but to look at what the whole world may see.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Annotated
from uuid import UUID

import structlog
from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from shared.database import Transaction
from shared.http.problems import RefusedError
from shared.http.wiring import cause_of, wiring_of
from shared.security import Principal, TokenRefusedError, principal_of
from shared.texts import LanguageCode, negotiate

TRANSACTION_SECONDS_MAX = 5.0
"""With the wait for a place. A database that falls silent keeps nobody longer, but for the moment in which
the line is given up. What takes as long for its own reasons does not belong in a request."""
IN_ITS_PLACE_SECONDS = 2.5
"""As long it may take in any case: whoever waited longest among hundreds is not sent away at the door."""

log = structlog.get_logger()
_bearer = HTTPBearer(auto_error=False, bearerFormat="JWT", description="OIDC access token")


async def authenticate(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> UUID:
    """Who is signed in.

    Raises:
        RefusedError: nobody is, or the token is not good.
    """
    if credentials is None:
        raise _unauthenticated("token_missing")
    try:
        return await wiring_of(request.scope).verifier.person_id(credentials.credentials)
    except TokenRefusedError as refusal:
        log.info("token_refused", reason=str(refusal))
        raise _unauthenticated("token_invalid") from None


def _unauthenticated(code: str) -> RefusedError:
    challenge = "Bearer" if code == "token_missing" else 'Bearer error="invalid_token"'
    return RefusedError(401, code, headers={"WWW-Authenticate": challenge})


Person = Annotated[UUID, Depends(authenticate)]
"""The id of who is signed in, without a look at the database."""


@contextlib.asynccontextmanager
async def open_transaction(request: Request, *, look: bool = False) -> AsyncIterator[Transaction]:
    """A transaction because of this request, or only a look.

    Gives up soon if the database cannot be had, and somewhat later if it does not answer any more.
    """
    wiring = wiring_of(request.scope)
    opened = wiring.edge.look if look else wiring.edge.transaction
    loop = asyncio.get_running_loop()
    came = loop.time()
    async with wiring.queue.place():
        patience = asyncio.timeout_at(max(came + TRANSACTION_SECONDS_MAX, loop.time() + IN_ITS_PLACE_SECONDS))
        try:
            async with patience, opened(cause_of(request.scope)) as tx:
                wiring.queue.encourage()
                yield tx
        finally:
            if patience.expired():
                wiring.queue.note_trouble()


async def _transaction(request: Request, _: Person) -> AsyncIterator[Transaction]:
    async with open_transaction(request) as tx:
        yield tx


Tx = Annotated[Transaction, Depends(_transaction, scope="function")]
"""The transaction of the request, committed when the endpoint has returned and rolled back when it raised."""


async def _public_look(request: Request) -> AsyncIterator[Transaction]:
    async with open_transaction(request, look=True) as tx:
        yield tx


PublicLook = Annotated[Transaction, Depends(_public_look, scope="function")]
"""For what anybody may see, without a token. It only reads."""


async def _principal(tx: Tx, person_id: Person) -> Principal:
    return await principal_of(tx, person_id)


Signed = Annotated[Principal, Depends(_principal, scope="function")]
"""Who is signed in, with the grants they have in this very transaction."""


async def _language(request: Request) -> LanguageCode:
    return negotiate(request.headers.get("accept-language", ""))


Language = Annotated[LanguageCode, Depends(_language)]
"""The reader's language by Accept-Language; Kazakh unless they ask for another."""
