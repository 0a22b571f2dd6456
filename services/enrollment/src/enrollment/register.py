"""Asks the population register about claims: a job of the worker, never inside a transaction.

A claim is leased by moving the time of its next ask: whoever dies in between has lost nothing, and a register
that is down is asked again after growing pauses.
"""

import asyncio
import unicodedata
from typing import Annotated, Literal

import httpx
import structlog
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from enrollment import repository
from enrollment.domain.people import Identity
from enrollment.repository.people import Claim
from enrollment.settings import EnrollmentSettings
from enrollment.usecases.people import settle_claim
from shared.edge import Edge
from shared.encryption import CiphertextError, Keyring
from shared.retrying import until_it_passes
from shared.settings import Settings
from shared.tls import tls

CLAIMS_AT_ONCE = 10
TIMEOUT_SECONDS = 3.0
POLL_SECONDS = 0.5

log = structlog.get_logger()


def _printable(text: str) -> str:
    """Composed letters only: what a database or a reader's eye would stumble over is no name."""
    if not text.isprintable():
        raise ValueError("not printable")
    return unicodedata.normalize("NFC", text)


Told = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    AfterValidator(_printable),
]


class School(BaseModel):
    """Where the child learns."""

    name: Told
    rural: bool


class RegisteredChild(BaseModel):
    """What the register tells of a child to its guardian."""

    model_config = ConfigDict(extra="ignore")

    given_name: Told
    family_name: Told
    patronymic: Told | None = None
    school: School | None = None
    priority: Annotated[int, Field(ge=0, le=1000)] = 0


class Answer(BaseModel):
    """The register's answer; the child only with `verified`."""

    model_config = ConfigDict(extra="ignore")

    verdict: Literal["verified", "refused"]
    child: RegisteredChild | None = None


class NoAnswerError(Exception):
    """The register cannot tell now, or answers what cannot be read."""


async def ask_register(edge: Edge, settings: Settings) -> None:
    """Ask about claims as they come, until canceled."""
    if not isinstance(settings, EnrollmentSettings):
        raise TypeError("enrollment runs with its own settings")
    keyring = Keyring.of(settings)
    async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS, trust_env=False, verify=tls()) as client:
        register = Register(client, settings.register_url.rstrip("/"), keyring)
        while True:
            if not await until_it_passes(lambda: ask_once(edge, register)):
                await asyncio.sleep(POLL_SECONDS)


async def ask_once(edge: Edge, register: "Register") -> int:
    """Ask about the claims that are due and settle what is answered; how many were due."""
    async with edge.transaction() as tx:
        claims = await repository.people.lease_claims(tx, limit=CLAIMS_AT_ONCE)
    answers = await asyncio.gather(*map(register.ask, claims), return_exceptions=True)
    for claim, answer in zip(claims, answers, strict=True):
        if isinstance(answer, NoAnswerError | CiphertextError):
            log.warning("register_gave_no_answer", link_id=str(claim.link_id), reason=str(answer))
            continue
        if isinstance(answer, BaseException):
            raise answer
        async with edge.transaction() as tx:
            await settle_claim(tx, claim.link_id, answer)
    return len(claims)


class Register:
    """The register behind its address."""

    def __init__(self, client: httpx.AsyncClient, url: str, keyring: Keyring) -> None:
        self._client = client
        self._url = url
        self._keyring = keyring

    async def ask(self, claim: Claim) -> Identity | None:
        """Who the child is, if this person may speak for it; None if not.

        Raises:
            NoAnswerError: nobody knows yet.
        """
        iin = self._keyring.decrypt(claim.iin_encrypted, place=claim.place)
        question = {"iin": iin, "person_id": str(claim.person_id)}
        try:
            response = await self._client.post(f"{self._url}/guardianships/verify", json=question)
            response.raise_for_status()
            answer = Answer.model_validate_json(response.content)
        except (httpx.HTTPError, ValidationError) as error:
            raise NoAnswerError(type(error).__name__) from None  # its text may quote the content
        if answer.verdict == "refused":
            return None
        if answer.child is None:
            raise NoAnswerError("verified without a child")
        return _identity(answer.child)


def _identity(child: RegisteredChild) -> Identity:
    return Identity(
        given_name=child.given_name,
        family_name=child.family_name,
        patronymic=child.patronymic,
        school_name=child.school.name if child.school else None,
        school_rural=child.school.rural if child.school else None,
        priority=child.priority,
    )
