"""Clubs closes a month, or changes it later: what is captured becomes what its lessons cost.

And the provider signs: what was charged by the signed facts falls due, whichever of the two came first.
"""

from collections.abc import Sequence

import structlog
from prometheus_client import Counter

from shared import outbox
from shared.database import Transaction, new_id
from shared.events.attendance import AttendanceClosed, StatementSigned
from shared.events.wallet import LessonVerdict, MonthCharged
from shared.telemetry import registry
from wallet.domain.facts import Facts, LessonFacts, Said
from wallet.domain.operations import Charge, Charged, Identity, Mismatched, Unready
from wallet.repository import signatures
from wallet.repository.holdings import MonthKey
from wallet.repository.replays import keep_facts
from wallet.usecases.items import leave_orders, tell_changes
from wallet.usecases.post import post

ORIGIN = "clubs"
MISMATCHES = Counter(
    "statement_digest_mismatches_total",
    "Months that were signed with other facts than were charged",
    registry=registry,
)
log = structlog.get_logger()


async def charge_months(sheets: Sequence[tuple[Transaction, AttendanceClosed]]) -> list[Unready | None]:
    """All sheets of a run as one batch. Each transaction is the same one, with its own cause.

    Each charge is told once; a repetition of one, and a sheet that a later one has replaced, is not.
    """
    commands = [command_of(sheet) for _, sheet in sheets]
    results = await post(sheets[0][0], commands)
    for (tx, sheet), command, result in zip(sheets, commands, results, strict=True):
        if isinstance(result, Charged) and result.operation_id == command.id:
            outbox.publish(tx, _charged(sheet, result))
            tell_changes(tx, result.changes)
        elif isinstance(result, Mismatched):
            log.error("sheet_repeated_with_other_content", identity=result.identity)
    new = zip(commands, results, strict=True)
    await keep_facts(
        await sheets[0][0].driver(),
        [command for command, one in new if isinstance(one, Charged) and one.operation_id == command.id],
    )
    changes = [change for one in results if isinstance(one, Charged) for change in one.changes]
    await leave_orders(sheets[0][0], changes)
    await _report_mismatches(sheets[0][0], {(sheet.enrollment_id, sheet.month) for _, sheet in sheets})
    return [result if isinstance(result, Unready) else None for result in results]


def command_of(sheet: AttendanceClosed) -> Charge:
    """What the ledger is asked; the sheet's own identity makes it one operation."""
    return Charge(
        id=new_id(),
        identity=Identity(ORIGIN, "charge", sheet.subject),
        child_id=sheet.child_id,
        enrollment_id=sheet.enrollment_id,
        month=sheet.month,
        revision=sheet.revision,
        provider_id=sheet.provider_id,
        group_id=sheet.group_id,
        digest=sheet.digest,
        facts=Facts(
            lessons=tuple(
                (
                    one.lesson_id,
                    LessonFacts(
                        on=one.on,
                        took_place=one.took_place,
                        statements=tuple(
                            Said(said.source, said.person_id, said.present, said.at)
                            for said in one.statements
                        ),
                        excused=one.excused,
                        disputed=one.disputed,
                        decided=one.decided,
                    ),
                )
                for one in sheet.lessons
            ),
            guardians_until=sheet.guardians_until,
            guardian_is_staff=sheet.guardian_is_staff,
        ),
    )


def _charged(sheet: AttendanceClosed, charged: Charged) -> MonthCharged:
    return MonthCharged(
        child_id=sheet.child_id,
        enrollment_id=sheet.enrollment_id,
        group_id=sheet.group_id,
        provider_id=sheet.provider_id,
        month=sheet.month,
        revision=sheet.revision,
        amount_tiyn=charged.amount_tiyn,
        disputed_tiyn=charged.disputed_tiyn,
        uncovered_tiyn=charged.uncovered_tiyn,
        frozen=charged.frozen,
        code=charged.code,
        lessons=tuple(
            LessonVerdict(lesson_id=one.lesson_id, on=one.on, verdict=one.verdict, code=one.code)
            for one in charged.verdicts
        ),
    )


async def sign_revisions(tx: Transaction, statements: Sequence[StatementSigned]) -> None:
    """Keep what was signed; what was charged by the same facts falls due."""
    driver = await tx.driver()
    await signatures.lock_to_sign(driver, {(one.provider_id, one.month) for one in statements})
    rows = [
        (
            line.enrollment_id,
            one.month,
            line.revision,
            line.digest,
            one.provider_id,
            one.statement_id,
            one.signed_by,
            one.signed_at,
        )
        for one in statements
        for line in one.lines
    ]
    await signatures.write_signatures(driver, rows)
    await _report_mismatches(tx, {(row[0], row[1]) for row in rows})


async def _report_mismatches(tx: Transaction, months: set[MonthKey]) -> None:
    """What was signed is not what was charged: it stays `charged`, and people must look at it."""
    for enrollment_id, month, revision in await signatures.mismatches(await tx.driver(), months):
        MISMATCHES.inc()
        log.error("signed_other_facts", enrollment_id=str(enrollment_id), month=month, revision=revision)
