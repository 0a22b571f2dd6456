"""The database is lost: restored from a dump into a new cluster, while Kafka and the bank have gone on.

September of the story is closed and about to be paid. A dump is taken under load; after it more is asked for,
the funds pay, and PostgreSQL is gone in the middle of it. After the restore nobody is paid twice, whoever was
told that they are enrolled is, and the audit is clean. Then Kafka is lost, too, and the database kept.
"""

import asyncio
import io
import sys
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx

sys.path.insert(0, str(Path(__file__).parents[1]))

from local.layout import Layout
from local.seeds import district
from local.story import closing, joining, later, lessons, paying
from rig import dump, load, players, system, telling
from rig.load import Applicant, Ground
from rig.system import System, sign_in
from shared.tls import tls

BEFORE = (*joining.STEPS, *later.STEPS, *lessons.STEPS, *closing.STEPS)
PAY_DAY = "2026-10-19T08:30"
STARTS_ON = "2026-10-26"
RATE = 4.0
CHILDREN, SECOND, THIRD = 80, 30, 45
"""Each asks once: the first while the dump is taken, the next after it, the last while the database dies."""
REPUBLISHED = (
    ("enrollment", ("child", "entitlement", "grant")),
    ("clubs", ("provider", "staff", "group", "group_month")),
    ("wallet", ("program", "fund")),
)
_REQUESTS = "SELECT id::text, state FROM enrollment.enrollments"
_KEPT_FOR = """
SELECT enrollment_id::text FROM clubs.seats WHERE state IN ('reserved', 'offered', 'waiting')
UNION SELECT enrollment_id::text FROM wallet.holds WHERE open
"""
_PAID = """
SELECT iban, sum(amount_tiyn)::bigint AS amount_tiyn FROM wallet.payouts WHERE state = 'settled' GROUP BY iban
"""
_OWED = "SELECT count(*) FROM wallet.payable_items WHERE stage IN ('charged', 'due', 'in_run') AND NOT frozen"
_RECOVERING = "SELECT count(*) FROM wallet.recoveries WHERE ended_at IS NULL"
_OVER = frozenset({"settled", "bounced"})


def tell(text: str, *, right: bool = True) -> None:
    """Print one outcome, and go on only if it is right."""
    if not telling.tell(text, right=right):
        raise AssertionError(text)


async def requests(running: System) -> Mapping[str, str]:
    """Every enrollment that is there, with its state."""
    async with running.database() as database:
        return {row["id"]: row["state"] for row in await database.fetch(_REQUESTS)}


async def shift(running: System) -> timedelta:
    async with running.database() as database:
        moved: timedelta = await database.fetchval("SELECT shift FROM development.clock")
        return moved


async def bank_payments(running: System) -> list[dict[str, Any]]:
    """What the bank was ever sent."""
    async with httpx.AsyncClient(trust_env=False, verify=tls()) as http:
        answer = await http.get(f"http://127.0.0.1:{running.base_port}/bank/payments")
    return list(answer.raise_for_status().json()["items"])


async def check_paid_once(running: System) -> None:
    """Each order reached the bank once, and what it paid to whom is what the books say."""
    payments = await bank_payments(running)
    executed: Counter[str] = Counter()
    for payment in payments:
        if payment["behavior"] != "reject":
            executed[payment["iban"]] += int(Decimal(payment["amount"]) * 100)
    async with running.database() as database:
        booked = {row["iban"]: row["amount_tiyn"] for row in await database.fetch(_PAID)}
    times = {payment["times"] for payment in payments}
    what = f"{len(payments)} orders reached the bank, once each; {executed.total()} tiyn paid as in the books"
    tell(what, right=times == {1} and dict(executed) == booked)


def audit(running: System, *, but: frozenset[str] = frozenset()) -> None:
    """Clean, but for what is said."""
    told = running.command("audit", check=False).stdout
    lines = (line.split(maxsplit=1) for line in told.splitlines() if line.startswith("  "))
    found = {line[1].strip(): line[0] for line in lines if len(line) > 1 and line[0] != "0"}
    if found.keys() != but:
        sys.stdout.write(told)
    tell(f"the audit finds {', '.join(found) or 'nothing'}", right=found.keys() == but)


async def live(running: System, told: io.StringIO) -> tuple[Path, Ground, Mapping[str, str]]:
    """Until the database is lost: the dump, and what everybody had been told by then."""
    async with players.on_stage(running, told) as stage:
        await players.perform(stage, BEFORE)
        tell("the story up to the closed month", right=stage.finish(len(BEFORE)))
        running.command("clock", "--to", PAY_DAY)
        ground = await load.prepare(running, groups=1, children=CHILDREN)
        asked = ground.requests()
        first = asyncio.create_task(load.enroll(running, asked[:SECOND], rate=RATE, starts_on=STARTS_ON))
        await asyncio.sleep(4)
        taken = await asyncio.to_thread(dump.take, running)
        in_dump = await requests(running)
        outcomes = await first
        outcomes += await load.enroll(running, asked[SECOND:THIRD], rate=RATE, starts_on=STARTS_ON)
        tell(f"a dump under load, {taken.stat().st_size >> 10} KiB, in which {len(in_dump)} enrollments were")
        tell(f"{THIRD} asked for and confirmed", right={one.state for one in outcomes} == {"confirmed"})
        await running.settled(seconds=120)
        await players.perform(stage, [paying.pay_september])
        tell("the funds paid September, one order was rejected", right=stage.finish(len(BEFORE) + 1))
    last = asyncio.create_task(load.enroll(running, asked[THIRD:], rate=RATE, starts_on=STARTS_ON))
    await asyncio.sleep(5)
    accepted = await requests(running)
    last.cancel()
    return taken, ground, accepted


async def restore(running: System, taken: Path, moved: timedelta) -> None:
    """As `docs/operations.md` says it."""
    await asyncio.to_thread(dump.restore_elsewhere, running, taken, shift=moved)
    layout = Layout(running.base_port)
    for service, kinds in REPUBLISHED:
        for kind in kinds:
            program = layout.program(service, "republish", kind)
            process = await asyncio.create_subprocess_exec(*program.command, env=program.environment)
            if await process.wait():
                raise AssertionError(f"{service} republish {kind}")
    await running.settled(seconds=240)


async def check_requests(running: System, accepted: Mapping[str, str], forgotten: int) -> None:
    """Who was told that they are enrolled is; what nobody had heard of is nowhere, in no part."""
    known = await requests(running)
    lost = accepted.keys() - known.keys()
    there = Counter(f"{accepted[id_]} → {known[id_]}" for id_ in accepted.keys() & known.keys())
    sys.stdout.write(f"      {dict(there)}; {len(lost)} of {forgotten} lost\n")
    told = [id_ for id_, state in accepted.items() if state == "confirmed" and known.get(id_) != "confirmed"]
    tell("whoever was confirmed is", right=not told)
    async with running.database() as database:
        kept = {row["enrollment_id"] for row in await database.fetch(_KEPT_FOR)}
    tell("nothing is kept for what is lost", right=not kept - known.keys() and not kept & lost)


async def recover(running: System) -> None:
    """The wallet pays nobody, until the statement of the day has been read."""
    administrator = await sign_in(running, "administrator-1")
    fund = (await administrator.get("wallet", "/v1/funds")).json()["items"][0]
    refused = await administrator.post("wallet", "/v1/payout-runs", {"fund_id": fund["id"]})
    await administrator.close()
    tell(f"a run is refused: {refused.json()['code']}", right=refused.json()["code"] == "ledger_recovering")
    audit(running, but=frozenset({"no recovery is under way"}))
    running.command("clock", "--advance", "1d")
    async with running.database() as database:
        for _ in range(240):
            if not await database.fetchval(_RECOVERING):
                break
            await asyncio.sleep(0.5)
    await running.settled(seconds=120)
    audit(running)


async def pay_what_is_left(running: System) -> None:
    """What bounced in the lost life, and nothing else."""
    bank = f"http://127.0.0.1:{running.base_port}/bank/behavior"
    async with httpx.AsyncClient(trust_env=False, verify=tls()) as http:
        iban = district.PROVIDERS[paying.REFUSED - 1].iban
        (await http.put(bank, json={"iban": iban, "behavior": "accept"})).raise_for_status()
    proposer, approver = [await sign_in(running, f"administrator-{number}") for number in (1, 2)]
    orders = []
    for fund in (await proposer.get("wallet", "/v1/funds")).json()["items"]:
        run = await proposer.post("wallet", "/v1/payout-runs", {"fund_id": fund["id"]})
        if run.is_success:
            proposal = run.json()["proposal_id"]
            (await approver.post("wallet", f"/v1/approvals/{proposal}/approve")).raise_for_status()
            orders += run.json()["payouts"]
    for order in orders:
        view: dict[str, Any] = {"version": 0, "state": ""}
        while view["state"] not in _OVER:
            path = f"/v1/payouts/{order['id']}"
            view = (await proposer.get("wallet", path, wait=10, version=view["version"])).json()
    for person in (proposer, approver):
        await person.close()
    tell("the order that the bank had rejected is paid now", right=len(orders) == 1)


async def without_kafka(running: System, asked: list[tuple[Applicant, str]]) -> None:
    """Its topics are made anew, and read from their beginning."""
    await running.settled(seconds=120)
    await asyncio.to_thread(dump.lose_kafka, running)
    outcomes = await load.enroll(running, asked, rate=RATE, starts_on=STARTS_ON)
    states = Counter(one.state for one in outcomes)
    tell(f"with another Kafka: {dict(states)}", right=states.keys() == {"confirmed"})
    await running.settled(seconds=120)
    audit(running)


async def soak(running: System) -> None:
    taken, ground, accepted = await live(running, io.StringIO())
    moved = await shift(running)
    await asyncio.to_thread(dump.lose, running)
    tell("PostgreSQL and its disk are gone")
    await restore(running, taken, moved)
    await check_requests(running, accepted, len(accepted))
    await recover(running)
    await check_paid_once(running)
    await pay_what_is_left(running)
    await check_paid_once(running)
    audit(running)
    group_id = ground.group_ids[0]
    known = await requests_of(running)
    fresh = [one for one in ground.applicants if one.child_id not in known]
    await without_kafka(running, [(one, group_id) for one in fresh])


async def requests_of(running: System) -> frozenset[str]:
    """The children who are in a group of the load, or wait for it."""
    query = (
        "SELECT DISTINCT child_id::text AS id FROM enrollment.enrollments WHERE starts_on = $1::text::date"
    )
    async with running.database() as database:
        return frozenset(row["id"] for row in await database.fetch(query, STARTS_ON))


def main() -> int:
    with system.running() as running:
        try:
            asyncio.run(soak(running))
        except AssertionError as error:
            sys.stdout.write(f"WRONG {error}\n")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
