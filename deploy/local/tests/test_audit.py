"""What the services say about the same things: agreement is clean, each disagreement is found."""

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest

from local.audit import ON_THE_WAY, compare
from shared.testing import Database, Databases

ENROLLMENT, CHILD, OTHER = (UUID(int=number) for number in (1, 2, 3))
ALL = ("enrollment", "clubs", "wallet", "notifications")
TABLES = (
    "enrollment.enrollment_months",
    "enrollment.enrollments",
    "clubs.seats",
    "clubs.sheets",
    "clubs.statements",
    "clubs.statement_lines",
    "wallet.holds",
    "wallet.enrollment_months",
    "wallet.charges",
    "wallet.signed_revisions",
)
"""What the tests write in."""


@pytest.fixture(scope="module")
async def system(databases: Databases) -> AsyncIterator[Database]:
    made = await databases.create(*ALL)
    yield made
    await databases.drop(made)


@pytest.fixture
async def rows(system: Database) -> AsyncIterator[asyncpg.Connection]:
    """Writes what no service would: foreign keys and triggers are off, and nothing stays."""
    connection = await asyncpg.connect(system.superuser_url)
    await connection.execute("SET session_replication_role = replica")
    yield connection
    for table in TABLES:
        await connection.execute(f"DELETE FROM {table}")  # noqa: S608 - the names above
    await connection.close()


async def add_enrollment(
    rows: asyncpg.Connection, *, state: str = "confirmed", ends_on: str | None = None
) -> None:
    await rows.execute(
        "INSERT INTO enrollment.enrollments (id, child_id, group_id, requested_by, requested_at, state,"
        " version, attempt, starts_on, ends_on, program_id) VALUES"
        " ($1, $2, $3, $3, now(), $4, 1, 1, '2026-09-01', $5::text::date, $3)",
        *(ENROLLMENT, CHILD, OTHER, state, ends_on),
    )


async def add_seat(rows: asyncpg.Connection, *, child_id: UUID = CHILD) -> None:
    await rows.execute(
        "INSERT INTO clubs.seats (enrollment_id, version, group_id, child_id, attempt, wished_on, priority,"
        " requested_at, state, starts_on, ends_before)"
        " VALUES ($1, 1, $2, $3, 1, '2026-09-01', 0, now(), 'reserved', '2026-09-01', '2027-06-01')",
        *(ENROLLMENT, OTHER, child_id),
    )


async def add_hold(rows: asyncpg.Connection, *, month: str = "2026-09") -> None:
    await rows.execute(
        "INSERT INTO wallet.holds (id, child_id, enrollment_id, month, attempt, open, terms)"
        " VALUES ($1, $2, $3, $4, 1, true, '{}')",
        *(OTHER, CHILD, ENROLLMENT, month),
    )


async def add_funded_month(rows: asyncpg.Connection) -> None:
    await rows.execute(
        "INSERT INTO enrollment.enrollment_months (enrollment_id, month, state, attempt, missing_tiyn,"
        " asked_on_eve) VALUES ($1, '2026-09', 'funded', 1, 0, false)",
        ENROLLMENT,
    )


async def add_held_month(rows: asyncpg.Connection) -> None:
    await rows.execute(
        "INSERT INTO wallet.enrollment_months (enrollment_id, month, child_id, attempt, state, missing_tiyn)"
        " VALUES ($1, '2026-09', $2, 1, 'held', 0)",
        *(ENROLLMENT, CHILD),
    )


async def found(system: Database, *, leave_out: timedelta = timedelta()) -> set[str]:
    exceptions = await compare(system.url("auditor"), leave_out=leave_out)
    return {name for name, number in exceptions.items() if number}


async def test_services_that_agree_are_clean(system: Database, rows: asyncpg.Connection) -> None:
    await add_enrollment(rows)
    await add_seat(rows)
    await add_hold(rows)
    await add_funded_month(rows)
    await add_held_month(rows)
    assert await found(system) == set()


async def test_a_confirmed_enrollment_without_a_seat_is_found(
    system: Database, rows: asyncpg.Connection
) -> None:
    await add_enrollment(rows)
    assert await found(system) == {"a confirmed enrollment has its seat"}


async def test_what_is_younger_than_a_minute_may_be_on_its_way(
    system: Database, rows: asyncpg.Connection
) -> None:
    await add_enrollment(rows)
    assert await found(system, leave_out=ON_THE_WAY) == set()


@pytest.mark.parametrize("state", ["rejected", "canceled"])
async def test_a_seat_and_money_of_a_dead_enrollment_are_found(
    system: Database, rows: asyncpg.Connection, state: str
) -> None:
    await add_enrollment(rows, state=state)
    await add_seat(rows)
    await add_hold(rows)
    assert await found(system) == {
        "a seat is held for a living enrollment",
        "money is held for a living enrollment",
    }


async def test_a_seat_and_money_of_no_enrollment_are_found(
    system: Database, rows: asyncpg.Connection
) -> None:
    await add_seat(rows)
    await add_hold(rows)
    assert await found(system) == {
        "a seat is held for a living enrollment",
        "money is held for a living enrollment",
    }


async def test_money_held_for_a_month_after_the_end_is_found(
    system: Database, rows: asyncpg.Connection
) -> None:
    await add_enrollment(rows, ends_on="2026-09-20")
    await add_seat(rows)
    await add_hold(rows, month="2026-10")
    assert await found(system) == {"money is held for a living enrollment"}


async def test_a_funded_month_that_wallet_does_not_hold_is_found(
    system: Database, rows: asyncpg.Connection
) -> None:
    await add_enrollment(rows)
    await add_seat(rows)
    await add_funded_month(rows)
    assert await found(system) == {"a funded month of a confirmed enrollment is held"}


async def test_a_seat_of_another_child_is_found(system: Database, rows: asyncpg.Connection) -> None:
    await add_enrollment(rows)
    await add_seat(rows, child_id=OTHER)
    assert await found(system) == {"all speak of the same child"}


async def add_sheet(rows: asyncpg.Connection, *, revision: int, digest: str = "facts") -> None:
    await rows.execute(
        "INSERT INTO clubs.sheets (enrollment_id, month, revision, group_id, provider_id, child_id, digest,"
        " content, made_at) VALUES ($1, '2026-09', $4, $2, $2, $3, $5, '{}', now())",
        *(ENROLLMENT, OTHER, CHILD, revision, digest),
    )


async def add_charge(rows: asyncpg.Connection, *, revision: int, digest: str = "facts") -> None:
    await rows.execute(
        "INSERT INTO wallet.charges (enrollment_id, month, revision, operation_id, child_id, provider_id,"
        " group_id, digest, cost_tiyn, captured_tiyn, disputed_tiyn, uncovered_tiyn, frozen, verdicts,"
        " charged_at) VALUES ($1, '2026-09', $4, gen_random_uuid(), $3, $2, $2, $5, 0, 0, 0, 0, false, '[]',"
        " now())",
        *(ENROLLMENT, OTHER, CHILD, revision, digest),
    )


@pytest.mark.parametrize(("revision", "digest"), [(1, "facts"), (2, "other facts")])
async def test_a_sheet_that_is_not_charged_or_with_other_facts_is_found(
    system: Database, rows: asyncpg.Connection, revision: int, digest: str
) -> None:
    await add_sheet(rows, revision=1)
    await add_charge(rows, revision=1)
    assert await found(system) == set()
    await add_sheet(rows, revision=2)
    if revision == 2:
        await add_charge(rows, revision=2, digest=digest)
    counted = {"each month has as many charges as sheets, of the same revisions"} if revision == 1 else set()
    assert await found(system) == {"a closed month is charged by its latest sheet"} | counted
    assert await found(system, leave_out=ON_THE_WAY) == set()


async def test_a_signature_that_wallet_does_not_know_is_found(
    system: Database, rows: asyncpg.Connection
) -> None:
    await rows.execute(
        "INSERT INTO clubs.statements (id, version, provider_id, month, number, state, signed_by, signed_at)"
        " VALUES ($1, 1, $1, '2026-09', 1, 'signed', $1, now())",
        OTHER,
    )
    line = OTHER, ENROLLMENT, "2026-09", 1, "facts"
    await rows.execute(
        "INSERT INTO clubs.statement_lines (statement_id, enrollment_id, month, revision, digest)"
        " VALUES ($1, $2, $3, $4, $5)",
        *line,
    )
    assert await found(system) == {"what was signed is known where it is paid"}
    await rows.execute(
        "INSERT INTO wallet.signed_revisions (statement_id, enrollment_id, month, revision, digest,"
        " provider_id, signed_by, signed_at) VALUES ($1, $2, $3, $4, $5, $1, $1, now())",
        *line,
    )
    assert await found(system) == set()


async def test_a_charged_month_that_enrollment_still_asks_for_is_found(
    system: Database, rows: asyncpg.Connection
) -> None:
    await add_sheet(rows, revision=1)
    await add_charge(rows, revision=1)
    await rows.execute(
        "INSERT INTO enrollment.enrollment_months (enrollment_id, month, state, attempt, missing_tiyn,"
        " asked_on_eve) VALUES ($1, '2026-09', 'unfunded', 1, 0, false)",
        ENROLLMENT,
    )
    assert await found(system) == {"a charged month is over where it was asked for"}


async def test_the_auditor_reads_all_and_writes_nothing(system: Database) -> None:
    auditor = await asyncpg.connect(system.url("auditor"))
    try:
        for schema in ALL:
            await auditor.fetch(f"SELECT * FROM {schema}.outbox")  # noqa: S608 - the names above
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await auditor.execute(f"DELETE FROM {schema}.outbox")  # noqa: S608 - the names above
    finally:
        await auditor.close()
