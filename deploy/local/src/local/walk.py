"""How a trace looks: a tree from one end of the money's way to the other. Decides nothing, asks nobody.

What one would go on from stands there in full; other ids by their ends, as UUIDs of one day begin alike.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from local import people
from local.clock import CIVIL
from local.story.stage import tenge

Part = dict[str, Any]
LINES_MAX = 1000
"""Of a trace's long list."""
_ONE_LINE = 1000
_PLACES = (
    *("free", "allotted_free", "allotted_held"),
    *("payable", "in_payout", "paid", "returned", "given_back"),
)
_AGREED = {"return": "went back to the budget", "recover": "repaid by a provider", "correct": "put right"}
_LOGINS = {str(people.person_id(login)): login for login in people.LOGINS}
_ENTRIES = {
    "refund": "given back",
    "claw_back": "claimed back",
    "withdraw_claim": "claim withdrawn",
    "pay_out": "left for the bank",
    "settle": "arrived",
    "bounce": "came back from the bank",
    "recover": "repaid by the provider",
}


class Month(NamedTuple):
    """A month of an enrollment, as clubs knows it too."""

    enrollment_id: str
    month: str


@dataclass(slots=True)
class Joined:
    """What other services say of the things in a trace, by their ids."""

    providers: dict[str, str] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)
    lessons: dict[tuple[str, str], Part] = field(default_factory=dict)
    """By lesson and enrollment: what clubs knows about the child there."""

    def provider(self, id_: str) -> str:
        return self.providers.get(id_) or f"provider {short(id_)}"

    def group(self, id_: str) -> str:
        return self.groups.get(id_) or f"group {short(id_)}"


def charged_months(trace: Part) -> set[Month]:
    """Whose marks belong into the tree."""
    if "enrollment" in trace:
        own = trace["enrollment"]["id"]
        return {Month(own, month["month"]) for month in trace["months"] if month["charges"]}
    return {Month(item["enrollment_id"], item["month"]) for item in trace.get("items", ())}


def payout(trace: Part, joined: Joined) -> Tree:
    """From the bank's answer back to the budget line, and to the marks behind each line."""
    tree = _order(None, trace["payout"], trace["run"], trace["reports"], joined)
    _budget_line(tree, trace["fund"], trace["deposits"])
    own = {trace["fund"]["id"]: _fund_name(trace["fund"])}
    shown = len(trace["items"])
    lines = _add(tree, f"{trace['payout']['items']} lines", "bold")
    for item in trace["items"]:
        branch = _add(lines, _item_title(item, joined), "bold")
        _add(branch, f"enrollment {item['enrollment_id']}")
        _item(branch, item)
        for hold in item["holds"]:
            if hold["hold_id"] in {capture["hold_id"] for capture in item["captures"]}:
                _hold(branch, hold, own)
        if item["latest_charge"]:
            _add(branch, _charge_title(item["charge"]))
        _charge(branch, item["latest_charge"] or item["charge"], item["enrollment_id"], joined)
    _more(lines, trace, shown)
    return tree


def enrollment(trace: Part, joined: Joined) -> Tree:
    """From what was held, month by month, to the bank's answers."""
    own = trace["enrollment"]
    tree = Tree(Text(f"enrollment {own['id']}", "bold"))
    _add(tree, f"child {own['child_id']}")
    if own["released"]:
        _add(tree, "came to nothing: everything was given back")
    elif own["ends_on"]:
        _add(tree, f"not charged from {own['ends_on']} on")
    funds = {fund["id"]: _fund_name(fund) for fund in trace["funds"]}
    for id_, name in funds.items():
        _add(tree, f"fund {id_}: {name}")
    for month in trace["months"]:
        _month(tree, month, own["id"], funds, joined)
    _more(tree, trace, len(trace["months"]))
    return tree


def fund(trace: Part, joined: Joined) -> Tree:
    """From the budget line to its orders."""
    tree = Tree(Text("budget line", "bold"))
    _budget_line(tree, trace["fund"], trace["deposits"])
    totals = trace["totals"]
    where = _add(tree, f"received {tenge(totals['received_tiyn'])}; of it", "bold")
    for what in _PLACES:
        _add(where, f"{what.replace('_', ' '):14} {tenge(totals[f'{what}_tiyn']):>20}")
    claimed = tenge(totals["receivable_tiyn"])
    _add(tree, f"{totals['allotments']} allotments; claimed back and not yet repaid: {claimed}")
    for agreed in trace["agreed"]:
        _agreed(tree, agreed)
    for order in trace["payouts"]:
        _order(tree, order, order["run"], order["reports"], joined)
    _more(tree, trace, len(trace["payouts"]))
    return tree


def show(console: Console, tree: Tree) -> None:
    """Within the branches on a terminal; elsewhere each line stays one, to be searched."""
    if not console.is_terminal:
        console.width = _ONE_LINE
    console.print(tree, soft_wrap=False)


def _month(tree: Tree, month: Part, enrollment_id: str, funds: dict[str, str], joined: Joined) -> None:
    code = f" ({month['code']})" if month["code"] else ""
    cost = f", {tenge(month['captured_tiyn'])}" if month["revision"] else ""
    frozen = ", frozen" if month["frozen"] else ""
    branch = _add(tree, f"{month['month']}: {month['state']}{code}{cost}{frozen}", "bold")
    for what in ("missing", "disputed", "uncovered"):
        if month[f"{what}_tiyn"]:
            _add(branch, f"{what}: {tenge(month[f'{what}_tiyn'])}")
    for hold in month["holds"]:
        _hold(branch, hold, funds)
    for charge in month["charges"][:-1]:
        _add(branch, _charge_title(charge))
    for charge in month["charges"][-1:]:
        _charge(branch, charge, enrollment_id, joined)
    for item in month["items"]:
        line = _add(branch, _item_title(item, joined), "bold")
        _add(line, f"owed by {funds.get(item['fund_id'], item['fund_id'])}")
        _item(line, item)
    for order in month["payouts"]:
        _order(branch, order, order["run"], order["reports"], joined)


def _order(tree: Tree | None, order: Part, run: Part, reports: list[Part], joined: Joined) -> Tree:
    code = f" ({order['code']})" if order["code"] else ""
    title = f"order {order['id']}: {tenge(order['amount_tiyn'])}, {order['state']}{code}"
    branch = Tree(Text(title, "bold")) if tree is None else _add(tree, title, "bold")
    payee = order["payee"]
    _add(branch, f"to {joined.provider(order['provider_id'])}: {payee['name']}, BIN {payee['bin']}")
    _add(branch, f"account {payee['iban']}, {_approved(payee)}")
    _add(branch, f"{order['items']} lines, MsgId {order['msg_id']}, sent {moment(order['sent_at'])}")
    _add(branch, f"run {short(run['id'])} {run['state']}, {_approved(run)}")
    answers = _add(branch, "the bank's answers" if reports else "no answer of the bank")
    for report in reports:
        against = ", AGAINST what was final" if report["contradicts"] else ""
        _add(
            answers,
            f"{moment(report['read_at'])}  {report['status']} {report['code'] or ''}{against}".rstrip(),
        )
    return branch


def _budget_line(tree: Tree, line: Part, deposits: list[Part]) -> None:
    branch = _add(tree, f"fund {line['id']}: {_fund_name(line)}", "bold")
    _add(branch, f"program {short(line['program_id'])}: {line['program_name']['en']}")
    _add(branch, f"budget {tenge(line['budget_tiyn'])}, for lessons up to {line['last_capture_on']}")
    _add(branch, _approved(line))
    for deposit in deposits:
        amount, when = tenge(deposit["amount_tiyn"]), moment(deposit["posted_at"])
        _add(branch, f"deposit {amount}, {when}, entered by {person(deposit['entered_by'])}")


def _agreed(tree: Tree, agreed: Part) -> None:
    what, when = _AGREED[agreed["kind"]], moment(agreed["posted_at"])
    branch = _add(tree, f"{tenge(agreed['amount_tiyn'])} {what}, {when}")
    _add(branch, f"from {agreed['debit']} to {agreed['credit']}, operation {agreed['operation_id']}")
    _add(branch, agreed["bank_reference"] or f"{agreed['reason']} (operation {agreed['corrects']})")
    _add(branch, _approved(agreed))


def _fund_name(fund: Part) -> str:
    return f"{fund['name']['en']}, {fund['funder']['en']}"


def _hold(tree: Tree, hold: Part, funds: dict[str, str]) -> None:
    state = "open" if hold["open"] else "closed"
    rules = ", ".join(f"{rule['version']} of program {short(rule['program_id'])}" for rule in hold["rules"])
    branch = _add(tree, f"hold {short(hold['hold_id'])} of {moment(hold['held_at'])}, {state}")
    _add(branch, f"{tenge(hold['price_tiyn'])} for {hold['planned_lessons']} lessons, by rules {rules}")
    for layer in hold["layers"]:
        whose = funds.get(layer["fund_id"], f"fund {short(layer['fund_id'])}")
        parts = [f"{tenge(layer['amount_tiyn'])} of {whose}, until {layer['expires_on']}"]
        parts += [
            f"{what} {tenge(layer[f'{what}_tiyn'])}"
            for what in ("captured", "released")
            if layer[f"{what}_tiyn"]
        ]
        _add(branch, "; ".join(parts))


def _item_title(item: Part, joined: Joined) -> str:
    state = f"{item['stage']}, frozen" if item["frozen"] else item["stage"]
    group = joined.group(item["group_id"])
    return f"{tenge(item['amount_tiyn'])} for {item['month']}, {group}: {state}, due {item['due_on']}"


def _item(tree: Tree, item: Part) -> None:
    """Where it came from, whose signature it has, and what was done with it since."""
    for capture in item["captures"]:
        out_of = f"the allotment until {capture['allotment']['expires_on']}"
        _add(
            tree,
            f"captured {tenge(capture['amount_tiyn'])} out of {out_of}, hold {short(capture['hold_id'])}:"
            f" {moment(capture['posted_at'])}, operation {short(capture['operation_id'])}",
        )
    signed = item["signature"]
    if signed:
        _add(
            tree,
            f"signed by {person(signed['signed_by'])}, {moment(signed['signed_at'])},"
            f" statement {short(signed['statement_id'])}, revision {signed['revision']}",
        )
    else:
        _add(tree, "not signed by the provider")
    for entry in item["entries"]:
        if entry["kind"] in _ENTRIES:
            what = f"{_ENTRIES[entry['kind']]}: {tenge(entry['amount_tiyn'])}, {moment(entry['posted_at'])}"
            _add(tree, what + (f", order {entry['payout_id']}" if entry["payout_id"] else ""))


def _charge(tree: Tree, charge: Part, enrollment_id: str, joined: Joined) -> None:
    branch = _add(tree, _charge_title(charge))
    for lesson in charge["lessons"]:
        why = dict.fromkeys((lesson["verdict"], lesson["code"]))
        line = f"{lesson['on']}  {': '.join(why).replace('_', ' ')}"
        known = joined.lessons.get((lesson["lesson_id"], enrollment_id), {})
        said = _said(known.get("marks", ()))
        case = f", case {known['case_id']}" if known.get("case_id") else ""
        _add(branch, f"{line}{case}" + (f"  [{said}]" if said else ""))


def _charge_title(charge: Part) -> str:
    counting = sum(lesson["verdict"] == "counts" for lesson in charge["lessons"])
    what = charge["code"] or f"{counting} of {len(charge['lessons'])} lessons count"
    facts = f"facts {charge['digest'][:8]}"
    return (
        f"charged by revision {charge['revision']}, {moment(charge['charged_at'])}: {what},"
        f" {tenge(charge['captured_tiyn'])}; {facts}"
    )


def _said(marks: Iterable[Part]) -> str:
    """What each source said and when; the source is the role in which the person spoke."""
    return ", ".join(
        f"{mark['source']} {'present' if mark['present'] else 'absent'} {moment(mark['at'])[5:]}"
        for mark in marks
    )


def _more(tree: Tree, trace: Part, shown: int) -> None:
    if trace["next"]:
        how = f": --lines {min(10 * shown, LINES_MAX)}" if shown < LINES_MAX else ""
        _add(tree, f"… and more than these {shown}{how}")


def _approved(decided: Part) -> str:
    if not decided["approved_by"]:
        proposer = person(decided["proposed_by"])
        return f"proposed by {proposer}, not approved"
    return (
        f"proposed by {person(decided['proposed_by'])}, approved by {person(decided['approved_by'])},"
        f" {moment(decided['approved_at'])}"
    )


def _add(tree: Tree, text: str, style: str = "") -> Tree:
    return tree.add(Text(text, style))


def person(id_: str | None) -> str:
    """Who it is, if it is one of the seeded people."""
    return "nobody known" if id_ is None else _LOGINS.get(id_) or f"person {short(id_)}"


def short(id_: str) -> str:
    """The end of an id: where ids that were made one after the other differ."""
    return f"…{UUID(id_).hex[-8:]}"


def moment(text: str | None) -> str:
    """Civil time, to the minute."""
    return f"{datetime.fromisoformat(text).astimezone(CIVIL):%Y-%m-%d %H:%M}" if text else "never"
