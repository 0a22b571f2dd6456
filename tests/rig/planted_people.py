"""Children, guardians and entitlements in bulk, as thousands of events would have left them.

Written straight into enrollment's tables and the others' projections of them. Their IINs are made up, and
encrypted with the keys of development.
"""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID, uuid5

from enrollment.repository.people import place_of
from rig.system import SERVICES
from shared.database import new_id
from shared.encryption import Keyring
from shared.settings import Settings

BORN = date(2015, 6, 1)
FROM = date(2026, 9, 1)
UNTIL = date(2027, 5, 25)

Connection = Any
"""Of asyncpg, which has no types."""


async def plant_children(database: Connection, children: Sequence[tuple[UUID, UUID]], now: datetime) -> None:
    """Each with its guardian, verified."""
    settings = Settings(environment="development", database_url="postgresql://", issuer="of no interest")
    keyring = Keyring.of(settings)
    indexes = {child_id: secrets.token_bytes(32) for child_id, _ in children}

    def encrypted(child_id: UUID) -> bytes:
        return keyring.encrypt(f"{child_id.int % 10**12:012}", place=place_of(indexes[child_id]))

    rows = (
        {
            "id": child_id,
            "iin_encrypted": encrypted(child_id),
            "iin_index": indexes[child_id],
            "birth_date": BORN,
            "given_name": "Load",
            "family_name": "Load",
            "priority": 0,
            "version": 1,
        }
        for child_id, _ in children
    )
    links = (
        {
            "id": new_id(),
            "person_id": guardian_id,
            "iin_index": indexes[child_id],
            "birth_date": BORN,
            "child_id": child_id,
            "state": "verified",
            "version": 2,
            "claimed_at": now,
        }
        for child_id, guardian_id in children
    )
    await copy(database, "enrollment", "children", rows)
    await copy(database, "enrollment", "guardian_links", links)
    for service in SERVICES:
        guarded = ({"child_id": child_id, "version": 1} for child_id, _ in children)
        await copy(database, service, "guarded_children", guarded)
        await copy(database, service, "grants", (_guardian(*one) for one in children))


def _guardian(child_id: UUID, guardian_id: UUID) -> dict[str, object]:
    """As `shared.security.describe_guardians` keeps it."""
    return {
        "id": uuid5(child_id, str(guardian_id)),
        "person_id": guardian_id,
        "role": "guardian",
        "scope_kind": "child",
        "scope_id": child_id,
        "version": 1,
        "ended": False,
    }


async def plant_entitlements(database: Connection, children: Sequence[UUID], program_id: UUID) -> None:
    """To this program, for the school year."""
    rows = [
        {
            "id": new_id(),
            "version": 1,
            "child_id": child_id,
            "program_id": program_id,
            "starts_on": FROM,
            "until": UNTIL,
            "coefficient_percent": 100,
        }
        for child_id in children
    ]
    for service in ("enrollment", "wallet"):
        await copy(database, service, "entitlements", rows)


async def copy(database: Connection, service: str, table: str, rows: Iterable[Mapping[str, object]]) -> None:
    """Rows of the same columns, at once."""
    listed = list(rows)
    columns = list(listed[0])
    records = [tuple(row[name] for name in columns) for row in listed]
    await database.copy_records_to_table(table, schema_name=service, columns=columns, records=records)
