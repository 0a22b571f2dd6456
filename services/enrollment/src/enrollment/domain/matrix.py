"""Every state against everything that can happen to an enrollment, written by hand.

`decider` obeys this table: only where a cell names the states it may lead to is anything decided. A test
walks every cell. Commands of people may be refused with a code; late or repeated answers are ignored; what
cannot happen unless somebody is wrong is ignored as well, and counted.
"""

from dataclasses import dataclass
from enum import StrEnum

from enrollment.domain.enrollment import State


class Kind(StrEnum):
    """What a cell says."""

    ACTS = "acts"
    REFUSES = "refuses"
    IGNORES = "ignores"
    IMPOSSIBLE = "impossible"
    NOT_BUILT = "not_built"


@dataclass(frozen=True, slots=True)
class Cell:
    """What may come of one input in one state."""

    kind: Kind
    to: frozenset[State] = frozenset()
    refusals: frozenset[str] = frozenset()


def _to(*states: State, refusing: tuple[str, ...] = ()) -> Cell:
    return Cell(Kind.ACTS, frozenset(states), frozenset(refusing))


def _no(code: str) -> Cell:
    return Cell(Kind.REFUSES, refusals=frozenset({code}))


LATE = Cell(Kind.IGNORES)
NEVER = Cell(Kind.IMPOSSIBLE)
UNBUILT = Cell(Kind.NOT_BUILT)

REQUESTED, QUEUED, OFFERED, FUNDING = State.REQUESTED, State.QUEUED, State.OFFERED, State.FUNDING
PAYMENT, CONFIRMED = State.PAYMENT_REQUIRED, State.CONFIRMED
REJECTED, CANCELED, ENDED = State.REJECTED, State.CANCELED, State.ENDED

# A table: one input a block, one state a line.
# fmt: off
MATRIX: dict[str, dict[State, Cell]] = {
    # ── clubs answers ──────────────────────────────────────────────────────────────────────────────
    "seat_reserved": {
        REQUESTED: _to(FUNDING, REJECTED),
        QUEUED:    _to(FUNDING, REJECTED),
        OFFERED:   _to(FUNDING, REJECTED),
        FUNDING:   LATE,  # the same request answered again
        PAYMENT:   UNBUILT,
        CONFIRMED: LATE,
        REJECTED:  LATE,  # `rejected` is on its way to clubs and frees the seat
        CANCELED:  LATE,  # so is `canceled`
        ENDED:     LATE,
    },
    "seat_queued": {
        REQUESTED: _to(QUEUED),
        QUEUED:    _to(QUEUED),  # another place
        OFFERED:   LATE,
        FUNDING:   LATE,
        PAYMENT:   UNBUILT,
        CONFIRMED: LATE,
        REJECTED:  LATE,
        CANCELED:  LATE,
        ENDED:     LATE,
    },
    "seat_offered": {
        REQUESTED: _to(OFFERED),
        QUEUED:    _to(OFFERED),
        OFFERED:   _to(OFFERED),  # a newer offer
        FUNDING:   LATE,
        PAYMENT:   UNBUILT,
        CONFIRMED: LATE,
        REJECTED:  LATE,
        CANCELED:  LATE,
        ENDED:     LATE,
    },
    "seat_refused": {
        REQUESTED: _to(REJECTED),
        QUEUED:    _to(REJECTED),
        OFFERED:   _to(REJECTED),
        FUNDING:   NEVER,  # a seat once reserved is withdrawn, not refused
        PAYMENT:   UNBUILT,
        CONFIRMED: NEVER,
        REJECTED:  LATE,
        CANCELED:  LATE,  # clubs closed the group while the cancel was on its way
        ENDED:     NEVER,
    },
    "seat_withdrawn": {
        REQUESTED: NEVER,  # there was no seat
        QUEUED:    NEVER,
        OFFERED:   NEVER,
        FUNDING:   _to(REJECTED),
        PAYMENT:   UNBUILT,
        CONFIRMED: _to(CONFIRMED, ENDED),
        REJECTED:  LATE,
        CANCELED:  LATE,
        ENDED:     LATE,
    },
    # ── wallet answers ─────────────────────────────────────────────────────────────────────────────
    "funds_held": {
        REQUESTED: NEVER,  # nothing was asked
        QUEUED:    NEVER,
        OFFERED:   NEVER,
        FUNDING:   _to(CONFIRMED),
        PAYMENT:   UNBUILT,
        CONFIRMED: _to(CONFIRMED),  # a later month
        REJECTED:  LATE,  # `rejected` releases it
        CANCELED:  LATE,  # `canceled` releases it
        ENDED:     _to(ENDED),  # a month asked for before the end
    },
    "funds_declined": {
        REQUESTED: NEVER,
        QUEUED:    NEVER,
        OFFERED:   NEVER,
        FUNDING:   _to(REJECTED),
        PAYMENT:   UNBUILT,
        CONFIRMED: _to(CONFIRMED),  # that month is unfunded
        REJECTED:  LATE,
        CANCELED:  LATE,
        ENDED:     _to(ENDED),
    },
    "month_charged": {
        REQUESTED: NEVER,  # the wallet charges what it was asked for
        QUEUED:    NEVER,
        OFFERED:   NEVER,
        FUNDING:   _to(FUNDING),  # overtook the answer, which still confirms or rejects
        PAYMENT:   UNBUILT,
        CONFIRMED: _to(CONFIRMED),
        REJECTED:  LATE,  # it costs nothing, and brings nothing back
        CANCELED:  LATE,
        ENDED:     _to(ENDED),  # its last month
    },
    # ── people ask ─────────────────────────────────────────────────────────────────────────────────
    "cancel": {
        REQUESTED: _to(CANCELED),
        QUEUED:    _to(CANCELED),
        OFFERED:   _to(CANCELED),
        FUNDING:   _to(CANCELED),
        PAYMENT:   UNBUILT,
        CONFIRMED: _no("already_confirmed"),
        REJECTED:  _no("already_over"),
        CANCELED:  LATE,  # asked twice: it is canceled
        ENDED:     _no("already_over"),
    },
    "end": {
        REQUESTED: _no("not_confirmed"),
        QUEUED:    _no("not_confirmed"),
        OFFERED:   _no("not_confirmed"),
        FUNDING:   _no("not_confirmed"),
        PAYMENT:   UNBUILT,
        CONFIRMED: _to(CONFIRMED, ENDED, refusing=("ends_in_past", "ends_later_than_before")),
        REJECTED:  _no("already_over"),
        CANCELED:  _no("already_over"),
        ENDED:     _no("already_over"),
    },
    # ── time passes, money comes ───────────────────────────────────────────────────────────────────
    "month_due": {
        REQUESTED: NEVER,  # only a confirmed enrollment has deadlines
        QUEUED:    NEVER,
        OFFERED:   NEVER,
        FUNDING:   NEVER,
        PAYMENT:   UNBUILT,
        CONFIRMED: _to(CONFIRMED),
        REJECTED:  NEVER,
        CANCELED:  NEVER,
        ENDED:     LATE,  # ended meanwhile
    },
    "ask_again": {
        REQUESTED: NEVER,
        QUEUED:    NEVER,
        OFFERED:   NEVER,
        FUNDING:   NEVER,
        PAYMENT:   UNBUILT,
        CONFIRMED: _to(CONFIRMED),
        REJECTED:  NEVER,
        CANCELED:  NEVER,
        ENDED:     LATE,
    },
    "grace_over": {
        REQUESTED: NEVER,
        QUEUED:    NEVER,
        OFFERED:   NEVER,
        FUNDING:   NEVER,
        PAYMENT:   UNBUILT,
        CONFIRMED: _to(CONFIRMED, ENDED),  # stays when money came, or is awaited, in the meantime
        REJECTED:  NEVER,
        CANCELED:  NEVER,
        ENDED:     LATE,
    },
    "last_day_over": {
        REQUESTED: NEVER,
        QUEUED:    NEVER,
        OFFERED:   NEVER,
        FUNDING:   NEVER,
        PAYMENT:   UNBUILT,
        CONFIRMED: _to(CONFIRMED, ENDED),  # stays when the deadline is not the day's
        REJECTED:  NEVER,
        CANCELED:  NEVER,
        ENDED:     LATE,
    },
    # ── named by the design, not built ─────────────────────────────────────────────────────────────
    "copay_authorized": dict.fromkeys(State, UNBUILT),
    "switch": dict.fromkeys(State, UNBUILT),
    "pause": dict.fromkeys(State, UNBUILT),
}
# fmt: on
