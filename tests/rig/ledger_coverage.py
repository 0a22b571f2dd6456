"""What the dice of the wallet's ledger must reach: each operation with each of its answers, each stage.

Silence says little of what was never tried. So nothing is taken for tried here: what is seen and not listed
is as wrong as what is listed and not seen, and `told_by_the_domain` finds refusals that nobody has listed.
"""

import ast
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import get_args

from wallet import domain
from wallet.domain.items import Entry, EntryKind, Item, Stage
from wallet.domain.operations import (
    Allot,
    Bounce,
    Charge,
    Charged,
    Command,
    Correct,
    Declined,
    Deposit,
    Expire,
    Expired,
    Held,
    HoldMonth,
    PayOut,
    Recover,
    Reduce,
    Release,
    Result,
    Return,
    Settle,
)

ANSWERS: Mapping[type, frozenset[str]] = {
    Deposit: frozenset({"Deposited", "Mismatched", "fund_not_found", "over_budget"}),
    Allot: frozenset(
        {
            *("Allotted", "Mismatched", "fund_not_found", "not_entitled", "until_outside_fund"),
            *("already_allotted", "no_money"),
        }
    ),
    Expire: frozenset({"Expired", "Mismatched", "fund_not_found", "nothing_free", "still_in_use"}),
    Return: frozenset(
        {
            *("Returned", "Mismatched", "fund_not_found", "bank_reference_used", "fund_not_over"),
            "not_enough_there",
        }
    ),
    Recover: frozenset(
        {"Recovered", "Mismatched", "fund_not_found", "bank_reference_used", "more_than_claimed"}
    ),
    Correct: frozenset(
        {
            *("Corrected", "Mismatched", "fund_not_found", "correction_not_allowed", "operation_unknown"),
            *("allotment_unknown", "allotment_over", "beyond_operation", "not_enough_there"),
        }
    ),
    HoldMonth: frozenset(
        {
            *("Held", "Mismatched", "month_closed", "not_entitled", "program_not_running"),
            *("direction_not_paid", "clubs_limit_reached", "price_above_rate", "over_year_cap"),
            *("over_month_cap", "no_money"),
        }
    ),
    Reduce: frozenset({"Released", "Mismatched"}),
    Release: frozenset({"Released", "Mismatched"}),
    Charge: frozenset({"Charged", "Mismatched", "Superseded", "Unready"}),
    PayOut: frozenset({"PaidOut", "Mismatched", "order_is_empty", "order_not_ready"}),
    Settle: frozenset({"Settled", "Mismatched", "order_is_empty", "order_not_sent"}),
    Bounce: frozenset({"Bounced", "Mismatched", "order_is_empty", "order_not_sent"}),
}
"""Of each operation: what was done, what the rules do not allow, and what is no repetition."""
BESIDES = frozenset(
    {
        *("two layers", "reduced", "unused", "uncovered", "still held", "nothing to charge"),
        *("frozen", "unfrozen", "claim_opened", "taken_out"),
        *Stage,
        *get_args(EntryKind),
    }
)
"""What an answer does not say by its name."""


@dataclass
class Reached:
    """What was seen so far."""

    answers: set[tuple[type, str]] = field(default_factory=set)
    besides: set[str] = field(default_factory=set)
    steps: int = 0
    """Of the machines that noted it here."""

    def note(self, commands: Sequence[Command], results: Sequence[Result], today: date) -> None:
        """What a batch came to."""
        for command, result in zip(commands, results, strict=True):
            name = result.code if isinstance(result, Declined) else type(result).__name__
            self.answers.add((type(command), name))
            self.besides.update(change.kind for change in getattr(result, "changes", ()))
            match command, result:
                case _, Charged():
                    self.besides.update({"uncovered"} if result.uncovered_tiyn else ())
                    self.besides.update({"still held"} if result.disputed_tiyn else ())
                    self.besides.update({"nothing to charge"} if result.code else ())
                case _, Held():
                    self.besides.update({"two layers"} if len(result.shares) > 1 else ())
                case Expire(), Expired():
                    self.besides.update({"unused"} if command.expires_on >= today else ())
                case Reduce(), _:
                    self.besides.update({"reduced"} if result != (0,) else ())

    def look(self, items: Iterable[Item], entries: Iterable[Entry]) -> None:
        """How far items came, and what was done with them."""
        self.besides.update(item.stage for item in items)
        self.besides.update(entry.kind for entry in entries)

    def differs(self) -> list[str]:
        """What was not reached, and what is listed nowhere: nothing, if the dice can be believed."""
        listed = {(kind, name) for kind, names in ANSWERS.items() for name in names}
        missed = [f"never: {kind.__name__} {name}" for kind, name in listed - self.answers]
        unlisted = [f"not listed: {kind.__name__} {name}" for kind, name in self.answers - listed]
        return sorted([*missed, *unlisted, *(f"never: {name}" for name in BESIDES - self.besides)])


def told_by_the_domain() -> set[str]:
    """The codes of all refusals that the domain's sources name."""
    found = set()
    for path in Path(str(domain.__file__)).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Declined":
                found |= {one.value for one in node.args[:1] if isinstance(one, ast.Constant)}
    return {str(code) for code in found}
