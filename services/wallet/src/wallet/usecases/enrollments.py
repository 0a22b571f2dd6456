"""Enrollment asks for money for a month, takes it back, or ends: each is answered from the one path."""

from collections.abc import Sequence
from uuid import UUID

import structlog

from shared import outbox
from shared.database import Transaction, new_id
from shared.events.enrollment import Canceled, Ended, FundingRequested, Rejected
from shared.events.wallet import FundsDeclined, FundsHeld, Layer
from wallet.domain.holds import Lesson
from wallet.domain.operations import (
    Command,
    Declined,
    Held,
    HoldMonth,
    Identity,
    Mismatched,
    Reduce,
    Release,
    Result,
)
from wallet.usecases.post import post

Request = FundingRequested | Canceled | Rejected | Ended

ORIGIN = "enrollment"
log = structlog.get_logger()


async def serve(requests: Sequence[tuple[Transaction, Request]]) -> None:
    """All requests of a run as one batch. Each transaction is the same one, with its own cause."""
    results = await post(requests[0][0], [command_of(request) for _, request in requests])
    for (tx, request), result in zip(requests, results, strict=True):
        _answer(tx, request, result)


def refuse_unreadable(
    tx: Transaction, *, child_id: UUID, enrollment_id: UUID, month: str, attempt: int
) -> None:
    """Answer for a request that an operator gave up, from what its headers say."""
    outbox.publish(
        tx,
        FundsDeclined(
            child_id=child_id,
            enrollment_id=enrollment_id,
            month=month,
            attempt=attempt,
            code="request_unreadable",
            missing_tiyn=0,
        ),
    )


def command_of(request: Request) -> Command:
    """What the ledger is asked; the request's own identity makes it one operation."""
    match request:
        case FundingRequested():
            return HoldMonth(
                id=new_id(),
                identity=Identity(ORIGIN, "hold", request.subject),
                child_id=request.child_id,
                enrollment_id=request.enrollment_id,
                month=request.month,
                attempt=request.attempt,
                provider_id=request.provider_id,
                group_id=request.group_id,
                direction=request.direction,
                price_tiyn=request.price_tiyn,
                lessons=tuple(Lesson(lesson.lesson_id, lesson.on) for lesson in request.lessons),
                covers_from=request.covers_from,
                covers_until=request.covers_until,
            )
        case Ended():
            identity = Identity(ORIGIN, "reduce", f"{request.enrollment_id}/{request.on}")
            return Reduce(new_id(), identity, request.child_id, request.enrollment_id, request.on)
        case Canceled() | Rejected():
            reason = "canceled" if isinstance(request, Canceled) else "rejected"
            identity = Identity(ORIGIN, "release", f"{request.enrollment_id}/{reason}")
            return Release(new_id(), identity, request.child_id, request.enrollment_id, reason)


def _answer(tx: Transaction, request: Request, result: Result) -> None:
    if isinstance(result, Mismatched):
        # Nothing was written and nothing can be answered: the first request has its answer already.
        log.error("request_repeated_with_other_content", identity=result.identity)
        return
    if not isinstance(request, FundingRequested):
        return
    about = {
        "child_id": request.child_id,
        "enrollment_id": request.enrollment_id,
        "month": request.month,
        "attempt": request.attempt,
    }
    match result:
        case Held(hold_id, amount, shares):
            layers = tuple(
                Layer(program_id=share.program_id, fund_id=share.fund_id, amount_tiyn=share.amount_tiyn)
                for share in shares
            )
            outbox.publish(tx, FundsHeld(**about, hold_id=hold_id, amount_tiyn=amount, layers=layers))
        case Declined(code, missing):
            outbox.publish(tx, FundsDeclined(**about, code=code, missing_tiyn=missing))
        case _:
            raise TypeError(f"a hold is not answered by {type(result).__name__}")
