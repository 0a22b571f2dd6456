"""Over 200 IINs and phone numbers go into the whole system; none of them lies open anywhere afterwards.

They are sent where they belong and where they do not: in addresses, in names of fields, beside what is asked
for. Looked for is the number itself, and its bytes as a dump writes them.
"""

import asyncio
import io
import itertools
import re
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

import asyncpg
import httpx
import pytest
from idnumbers.nationalid import KAZ

from local.people import person_id
from local.population import CHILDREN
from rig.collector import Collector
from rig.system import SERVICES, TOPICS, System
from shared.tls import tls

pytestmark = [pytest.mark.xdist_group("system"), pytest.mark.timeout(1200)]
GUARDIANS = 13
FIRST = 280
EACH = 8
"""Claims of a day, and phones, one after the other: fewer than a person may have."""


def _iins() -> list[str]:
    """Of children, good by date and checksum; most likely nobody's: the last of their days."""
    found = []
    for number in range(10_000):
        for check in range(10):
            iin = f"1611096{number:04}{check}"
            if KAZ.IndividualIDNumber.validate(iin):
                found.append(iin)
        if len(found) >= GUARDIANS * EACH:
            break
    return found[: GUARDIANS * EACH]


IINS = _iins()
PHONES = [f"+7701{7_300_000 + 1237 * number}" for number in range(GUARDIANS * EACH)]
SOUGHT = (*IINS, *(phone[2:] for phone in PHONES), *(child.iin for child in CHILDREN))
"""The planted ones, and those of the children who are there from the beginning."""


@pytest.fixture(scope="module")
async def answers(system: System) -> list[str]:
    """All that was answered, with its headers, while the numbers were sent."""
    people = [_Sender(system, f"guardian-{FIRST + number}") for number in range(GUARDIANS)]
    parts = [slice(EACH * number, EACH * (number + 1)) for number in range(GUARDIANS)]
    told = await asyncio.gather(
        *(person.send(IINS[part], PHONES[part]) for person, part in zip(people, parts, strict=True))
    )
    await system.settled(seconds=120)
    return [answer for some in told for answer in some]


class _Sender:
    """A guardian, and everywhere they could write a number."""

    def __init__(self, system: System, login: str) -> None:
        self._system = system
        self._login = login
        self._told: list[str] = []

    async def send(self, iins: list[str], phones: list[str]) -> list[str]:
        async with httpx.AsyncClient(trust_env=False, verify=tls(), timeout=60) as http:
            http.headers["Authorization"] = f"Bearer {await self._system.token(self._login)}"
            for iin, phone in zip(iins, phones, strict=True):
                await self._send(http, iin, phone)
        return self._told

    async def _send(self, http: httpx.AsyncClient, iin: str, phone: str) -> None:
        enrollment = self._system.address("enrollment")
        contacts = f"{self._system.address('notifications')}/v1/me/contacts"
        claimed = await self._ask(http, "POST", f"{enrollment}/v1/guardian-links", {"iin": iin})
        assert claimed.status_code == httpx.codes.CREATED, claimed.text
        link = claimed.headers["Location"]
        await self._ask(http, "GET", f"{enrollment}{link}")
        kept = await http.put(contacts, json={"email": None, "phone": phone})
        assert kept.status_code == httpx.codes.OK, kept.text  # to its owner it is shown
        for method, address, body in [
            ("POST", f"{enrollment}/v1/guardian-links", {"iin": iin + "0"}),
            ("POST", f"{enrollment}/v1/guardian-links", {iin: phone}),
            ("POST", f"{enrollment}/v1/guardian-links", {"iin": {"iin": iin}}),
            ("POST", f"{enrollment}/v1/enrollments", {"child_id": iin, "group_id": phone}),
            ("PUT", contacts, {"email": iin, "phone": None}),
            ("PUT", contacts, {"email": None, "phone": phone + "99999"}),
            ("GET", f"{enrollment}/v1/children/{iin}", None),
            ("GET", f"{enrollment}/{iin}", None),
            ("GET", f"{enrollment}/v1/children?ids={iin}&reason={phone.replace('+', '%2B')}", None),
            ("GET", f"{self._system.address('wallet')}/v1/wallets/{iin}", None),
            ("GET", f"{self._system.address('clubs')}/v1/groups?text={iin}", None),
        ]:
            await self._ask(http, method, address, body)

    async def _ask(
        self, http: httpx.AsyncClient, method: str, address: str, body: object = None
    ) -> httpx.Response:
        headers = {"Idempotency-Key": str(uuid4())}
        answer = await http.request(method, address, json=body, headers=headers)
        self._told.append(f"{answer.headers} {answer.text}")
        return answer


async def test_no_answer_repeats_a_number(answers: list[str]) -> None:
    assert len(answers) > len(IINS) * 10
    assert _found({"answers": "\n".join(answers)}) == {}


@pytest.mark.usefixtures("answers")
async def test_no_record_has_a_number(system: System) -> None:
    records = [f"{one.key!r} {one.headers!r} {one.value!r}" for one in await system.records(*TOPICS)]
    assert len(records) > len(CHILDREN)
    assert _found({"Kafka": "\n".join(records)}) == {}


@pytest.mark.usefixtures("answers")
async def test_no_log_has_a_number(system: System) -> None:
    logs = {
        str(path.relative_to(system.state)): path.read_text(errors="replace")
        for path in system.state.rglob("*")
        if path.is_file() and (path.suffix == ".log" or "log" in path.parent.name)
    }
    assert {f"{service}-{kind}" for service in SERVICES for kind in ("api", "worker")} <= {
        Path(name).stem for name in logs
    }
    written = {name: text for name, text in logs.items() if "data/kafka" not in name}
    assert _found(written) == {}


@pytest.mark.usefixtures("answers")
async def test_no_figure_and_no_trace_has_a_number(system: System, collector: Collector) -> None:
    figures = {}
    async with httpx.AsyncClient(trust_env=False, verify=tls(), timeout=30) as http:
        for service in SERVICES:
            figures[service] = (await http.get(f"{system.address(service)}/metrics")).text
            assert "requests" in figures[service]
    assert _found(figures | {"traces": "\n".join(collector.attributes)}) == {}


@pytest.mark.usefixtures("answers")
async def test_no_table_has_a_number(system: System) -> None:
    """Not even in an encrypted column: what is in it cannot be read without its key."""
    dump = await _dump(system)
    assert await _kept(system) == (len(IINS), GUARDIANS)
    assert len(dump) > 50
    assert _found(dump) == {}


def _found(texts: Mapping[str, str]) -> dict[str, set[str]]:
    """Which of the numbers is where, by its last four digits. Bytes in a dump are digits, too: 7 is 37."""
    sought = {form: number for number in SOUGHT for form in (number, number.encode().hex())}
    lengths = {len(form) for form in sought}
    found: dict[str, set[str]] = {}
    for where, text in texts.items():
        for digits in re.findall(r"[0-9]{10,}", text):
            for start, length in itertools.product(range(len(digits)), lengths):
                if number := sought.get(digits[start : start + length]):
                    found.setdefault(where, set()).add(f"…{number[-4:]}")
    return found


def test_a_number_is_found_wherever_it_is() -> None:
    iin, phone = IINS[0], PHONES[0]
    for text in (f'"{iin}"', f"12{iin}34", f"\\\\x7b{iin.encode().hex()}7d", f"tel:{phone}", f"8{phone[2:]}"):
        assert _found({"here": text}) in ({"here": {f"…{iin[-4:]}"}}, {"here": {f"…{phone[-4:]}"}})
    assert _found({"here": "01a202f0-b6f8-7002-ac3a-d7bb58f61762 1611096"}) == {}


async def _dump(system: System) -> dict[str, str]:
    """Each table as COPY writes it: bytes as hexadecimal digits."""
    connection = await asyncpg.connect(system.database_url)
    try:
        tables = await connection.fetch(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname = ANY($1)", SERVICES
        )
        dump = {}
        for schema, table in tables:
            content = io.BytesIO()
            await connection.copy_from_table(table, schema_name=schema, output=content)
            dump[f"{schema}.{table}"] = content.getvalue().decode()
        return dump
    finally:
        await connection.close()


async def _kept(system: System) -> tuple[int, int]:
    """How many of the claims and phones are there: a number that never arrived proves nothing."""
    people = [person_id(f"guardian-{FIRST + number}") for number in range(GUARDIANS)]
    async with system.database() as database:
        claims = await database.fetchval(
            "SELECT count(*) FROM enrollment.guardian_links WHERE person_id = ANY($1) AND child_id IS NULL",
            people,
        )
        phones = await database.fetchval(
            "SELECT count(*) FROM notifications.contacts WHERE person_id = ANY($1) AND phone IS NOT NULL",
            people,
        )
    return claims, phones
