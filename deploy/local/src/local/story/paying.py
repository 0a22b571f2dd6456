"""The money leaves: two administrators approve a run, the bank answers as banks do, cases are decided."""

import time
from typing import Any

from local.client import PATIENCE_SECONDS
from local.seeds import district
from local.story import amounts, happened
from local.story.asking import pass_time
from local.story.closing import charge_of, close_october, items_of
from local.story.lessons import SEPTEMBER, mark_october
from local.story.stage import Stage, Step, tenge

_OVER = frozenset({"settled", "bounced"})
REFUSED, ANSWERED_TWICE = 3, 2
"""Providers: what the bank does with their first orders."""


async def pay_september(stage: Stage) -> None:
    """On Monday the 19th the funds pay: nobody approves a run of their own, a second administrator does."""
    await pass_time(stage, "2026-10-19T09:00")
    await _tell_bank(stage, REFUSED, "reject")
    await _tell_bank(stage, ANSWERED_TWICE, "twice")
    payouts = await _run(stage, "ahead", "first", refuse_own=True)
    _check_orders(stage, payouts, amounts.FIRST_RUN_DISTRICT, bounced={REFUSED})
    payouts = await _run(stage, "on_hold", "first")
    _check_orders(stage, payouts, amounts.FIRST_RUN_FOUNDATION, bounced=set())
    stage.cast.payouts = payouts


async def see_the_bounce(stage: Stage) -> None:
    """The bank rejected the football club's order: its lines are due again, and the director sees why."""
    items = await items_of(stage, REFUSED, SEPTEMBER)
    stages = [item["stage"] for item in items]
    stage.check("stages of the five lines", stages, ["due"] * 5)
    owed = sum(item["amount_tiyn"] for item in items)
    stage.check_money("still owed", owed, amounts.FIRST_RUN_DISTRICT[REFUSED])
    await stage.heard(f"director-{REFUSED}", "payout_sent", "payout_bounced")
    await _tell_bank(stage, REFUSED, "accept")
    answer = await stage.administrator().post(
        f"wallet/v1/funds/{stage.cast.funds['on_hold']['id']}/deposits",
        {"amount_tiyn": amounts.THIRD_DEPOSIT},
        key="story-third-deposit",
    )
    stage.check_money(
        "the foundation pays in for November", answer.content["amount_tiyn"], amounts.THIRD_DEPOSIT
    )


async def decide_cases(stage: Stage) -> None:
    """An administrator who is no party decides: the drawing lesson counts, the robotics lesson does not."""
    await pass_time(stage, "2026-10-20T09:00")
    before = len(stage.observer.seen)
    await _decide(stage, happened.NOT_THERE, "count", "Сабақта болғанын жаттықтырушының бейнесі растайды")
    await _decide(stage, happened.DOUBTED, "do_not_count", "Құрылғы баланы көрген жоқ")
    await stage.observer.since(before, "wallet.item_unfrozen", count=2)
    await stage.observer.since(before, "wallet.month_charged", count=2)
    counted = await charge_of(stage, happened.NOT_THERE)
    whole = amounts.DRAWING_WITH_DISPUTE + amounts.SUPPLEMENT
    stage.check_money("drawing costs", counted["amount_tiyn"], whole)
    lowered = await charge_of(stage, happened.DOUBTED)
    stage.check_money("robotics costs", lowered["amount_tiyn"], amounts.DOUBTED_AFTERWARDS)
    told = ("month_charged", "dispute_opened", "payment_stopped", "dispute_does_not_count", "month_recharged")
    await stage.told(happened.DOUBTED, *told)
    waits = [
        item["reason"]
        for item in await items_of(stage, 2, SEPTEMBER)
        if item["amount_tiyn"] == amounts.SUPPLEMENT
    ]
    stage.check("the difference waits for the director's signature", waits, ["not_signed"])


async def _decide(stage: Stage, number: int, decision: str, reason: str) -> None:
    decided = await stage.administrator(3).post(
        f"clubs/v1/cases/{stage.cast.cases[number]}/decide",
        {"decision": decision, "reason": reason},
        key=f"decide-{number}",
    )
    stage.check(f"decided: {decision}", decided.content["state"], "decided")


async def pay_october(stage: Stage) -> None:
    """On the 18th of November all of it is paid: October, what bounced, what was decided."""
    await pass_time(stage, "2026-11-18T09:00")
    payouts = await _run(stage, "ahead", "second")
    _check_orders(stage, payouts, amounts.SECOND_RUN_DISTRICT, bounced=set())
    payouts = await _run(stage, "on_hold", "second")
    _check_orders(stage, payouts, amounts.SECOND_RUN_FOUNDATION, bounced=set())
    late = [item for provider in (1, 2, 3) for item in await items_of(stage, provider, SEPTEMBER)]
    stage.check("every line of September is settled", {item["stage"] for item in late}, {"settled"})


async def walk_the_money(stage: Stage) -> None:
    """An auditor takes a bank order and walks back, to the budget line and to the marks."""
    payout = stage.cast.payouts[0]
    auditor = stage.client.person("auditor-1")
    trace = await auditor.get(f"wallet/v1/trace/payouts/{payout['id']}")
    stage.say(f"order {trace['payout']['msg_id']}: {tenge(trace['payout']['amount_tiyn'])}")
    stage.check_money(
        "its lines", sum(item["amount_tiyn"] for item in trace["items"]), trace["payout"]["amount_tiyn"]
    )
    approvers = {trace["run"]["proposed_by"], trace["run"]["approved_by"]}
    stage.check("proposed and approved by two persons", len(approvers), 2)
    mine = stage.cast.enrollments[district.NEWCOMER]["id"]
    item = next(one for one in trace["items"] if one["enrollment_id"] == mine)
    stage.say(f"one of them: {tenge(item['amount_tiyn'])} of {trace['fund']['name']['en']}, {item['month']}")
    attendance = await auditor.get("clubs/v1/attendance", enrollment_id=mine, month=item["month"])
    marks = {lesson["on"]: lesson["marks"] for lesson in attendance["items"][0]["lessons"]}
    for lesson in item["charge"]["lessons"]:
        sources = sorted(mark["source"] for mark in marks[lesson["on"]] if mark["present"])
        stage.check(f"{lesson['on']}: {', '.join(sources)}", len(sources) > 1, True)  # noqa: FBT003 - what is expected
    stage.say(f"all of it: .venv/bin/social-wallet trace payout {payout['id']}")


async def _tell_bank(stage: Stage, provider: int, behavior: str) -> None:
    """How the sandbox bank treats the next orders to a provider."""
    answer = await stage.client.http.put(
        f"{stage.system.address('outside')}/bank/behavior",
        json={"iban": district.PROVIDERS[provider - 1].iban, "behavior": behavior},
    )
    answer.raise_for_status()


async def _run(stage: Stage, mode: str, key: str, *, refuse_own: bool = False) -> list[dict[str, Any]]:
    """One administrator proposes a run, another approves; the orders, once the bank has answered each."""
    fund_id = stage.cast.funds[mode]["id"]
    started = await stage.administrator(1).post(
        "wallet/v1/payout-runs", {"fund_id": fund_id}, key=f"run-{mode}-{key}"
    )
    approval = f"wallet/v1/approvals/{started.content['proposal_id']}/approve"
    if refuse_own:
        own = await stage.administrator(1).ask("POST", approval, {}, key=f"own-{mode}-{key}")
        stage.check(f"the proposer's own approval: {own.code}", own.code, "second_person_required")
    await stage.administrator(2).post(approval, key=f"approve-{mode}-{key}")
    payouts = [order["id"] for order in started.content["payouts"]]
    return [await _answered(stage, payout_id) for payout_id in payouts]


async def _answered(stage: Stage, payout_id: str) -> dict[str, Any]:
    """The order, once the bank has said its last word."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    payout: dict[str, Any] = {"version": 0, "state": ""}
    while payout["state"] not in _OVER and time.monotonic() < deadline:
        payout = await stage.administrator().get(
            f"wallet/v1/payouts/{payout_id}", wait=5.0, version=payout["version"]
        )
    return payout


def _check_orders(
    stage: Stage, payouts: list[dict[str, Any]], expected: dict[int, int], *, bounced: set[int]
) -> None:
    numbers = {provider_id: number for number, provider_id in stage.cast.providers.items()}
    for payout in sorted(payouts, key=lambda one: numbers[one["provider_id"]]):
        number = numbers[payout["provider_id"]]
        name = district.PROVIDERS[number - 1].name.en
        stage.check_money(f"{name}, {payout['items']} lines", payout["amount_tiyn"], expected.get(number, 0))
        wanted = "bounced" if number in bounced else "settled"
        stage.check(f"the bank's answer: {payout['state']} {payout['code'] or ''}", payout["state"], wanted)
    stage.check("orders", len(payouts), len(expected))


STEPS: tuple[Step, ...] = (
    pay_september,
    see_the_bounce,
    decide_cases,
    mark_october,
    close_october,
    pay_october,
    walk_the_money,
)
