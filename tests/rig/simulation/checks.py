"""What must hold, whatever happened: after each commit (`of_seats`), and once all is quiet."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from datetime import date
from uuid import UUID

from enrollment.domain.enrollment import MonthState, State
from rig.simulation.ledger import MonthKey, total
from rig.simulation.seats import book_of
from rig.simulation.store import Store
from rig.simulation.town import Town
from rig.simulation.world import World
from shared.events.envelope import Event, catalog
from wallet.domain.accounts import Balance, Kind
from wallet.domain.items import PAID, UNPAID, Stage
from wallet.domain.payouts import State as PayoutState

WAITING = frozenset({State.REQUESTED, State.FUNDING})
QUEUEING = frozenset({State.QUEUED, State.OFFERED})
ONCE = (
    *("enrollment.seat_requested.v1", "enrollment.funding_requested.v1", "enrollment.confirmed.v1"),
    *("enrollment.rejected.v1", "enrollment.canceled.v1", "wallet.funds_held.v1", "wallet.funds_declined.v1"),
    *("wallet.month_charged.v1", "clubs.attendance_closed.v1", "wallet.payout_sent.v1"),
    *("wallet.payout_settled.v1", "wallet.payout_bounced.v1", "clubs.statement_signed.v1"),
)
"""Facts that are told once for each subject."""
NUMBERED = {
    "clubs.attendance_closed.v1": "revision",
    "wallet.month_charged.v1": "revision",
    "enrollment.funding_requested.v1": "attempt",
    "clubs.group_described.v1": "version",
    "clubs.group_month_planned.v1": "version",
}
"""Facts that come in the order of this number, for each thing they are about."""


def of_seats(store: Store, today: date) -> Iterator[str]:
    """Clubs, after every commit: no day has more seats taken than there are, and what is free is offered."""
    for group_id in store.rows("groups"):
        book = book_of(store, group_id)
        taken = [days for place in book.places.values() if (days := place.days)]
        for first, _ in taken:
            there = sum(since <= first < before for since, before in taken)
            if there > book.capacity:
                yield f"{there} seats of {book.capacity} on {first} in {group_id}"
        if book.queue and book.free_from(today) is not None:
            yield f"{group_id}: somebody waits while a seat is free"


def violations(world: World, town: Town, *, groups_are_over: bool) -> Iterator[str]:
    """Everything that is not as it should be."""
    yield from _settled(world, groups_are_over=groups_are_over)
    yield from _nothing_stuck(world)
    yield from _services_agree(world)
    yield from _ledger(world.machines["wallet"].store, town)
    yield from _items(world.machines["wallet"].store)
    yield from _months(world.machines["wallet"].store)
    yield from world.found
    if groups_are_over:
        yield from _events(world)


def _settled(world: World, *, groups_are_over: bool) -> Iterator[str]:
    rows = world.machines["enrollment"].store.rows("enrollments")
    if missing := set(world.accepted) - rows.keys():
        yield f"accepted, and gone: {missing}"
    for one in rows.values():
        if one.state in WAITING or (groups_are_over and one.state in QUEUEING):
            yield f"enrollment {one.id} is {one.state} for ever"
        for month in one.months:
            if month.state is MonthState.ASKED:
                yield f"enrollment {one.id} waits for an answer about {month.month} for ever"


def _nothing_stuck(world: World) -> Iterator[str]:
    for name, machine in world.machines.items():
        for key, why in machine.store.rows("parked_keys").items():
            yield f"{name}: {key} is parked: {why.reason} {why.detail}"
        if machine.behind():
            yield f"{name} is behind"


def _services_agree(world: World) -> Iterator[str]:
    """What enrollment decided is what the others have."""
    seats = world.machines["clubs"].store.rows("seats")
    holds = world.machines["wallet"].store.rows("holds").values()
    held = {one.enrollment_id for one in holds if one.open}
    captured = Counter[UUID]()
    for hold in holds:
        captured[hold.enrollment_id] += sum(layer.captured_tiyn for layer in hold.layers)
    for one in world.machines["enrollment"].store.rows("enrollments").values():
        place = seats[one.id].place if one.id in seats else None
        if one.state in {State.REJECTED, State.CANCELED}:
            if place is not None and (place.days is not None or place.state == "waiting"):
                yield f"{one.state} {one.id} still has {place.state}"
            if one.id in held or captured[one.id]:
                yield f"{one.state} {one.id} still has money held or captured"
        elif one.state in {State.CONFIRMED, State.ENDED}:
            if place is None or place.starts_on != one.starts_on:
                yield f"{one.state} {one.id} has no seat from {one.starts_on}"
            elif one.ends_on is not None and place.ends_before > max(one.ends_on, one.starts_on):
                yield f"{one.id} ends on {one.ends_on}, its seat on {place.ends_before}"
        elif one.state in QUEUEING and (place is None or place.state not in {"waiting", "offered"}):
            yield f"{one.state} {one.id} has no turn"


def _ledger(store: Store, town: Town) -> Iterator[str]:
    replayed: defaultdict[object, Balance] = defaultdict(Balance)
    for posting in store.rows("postings").values():
        replayed[posting.debit].debited += posting.amount_tiyn
        replayed[posting.credit].credited += posting.amount_tiyn
    for hold in store.rows("holds").values():
        for layer in hold.layers:
            replayed[layer.account].held += layer.remaining_tiyn
            if not hold.open and layer.remaining_tiyn:
                yield f"closed hold {hold.id} reserves {layer.remaining_tiyn}"
    for account, sums in store.rows("accounts").items():
        if replayed[account] != Balance(*sums):
            yield f"{account} has {sums}, its postings and holds {replayed[account]}"
    for fund_id in town.funds:
        yield from _fund(store, fund_id)


def _fund(store: Store, fund_id: UUID) -> Iterator[str]:
    sums = {kind: total(store, kind, fund_id) for kind in Kind}
    left = {kind: balance.credited - balance.debited for kind, balance in sums.items()}
    owed = (Kind.FUND, Kind.ALLOTMENT, Kind.PAYABLE, Kind.PAYOUT, Kind.RETURNED)
    settled = sums[Kind.BANK].credited
    if sums[Kind.BANK].debited != sum(left[kind] for kind in owed) + settled:
        yield f"fund {fund_id}: received {sums[Kind.BANK].debited}, has {left}"
    items = [one for one in store.rows("items").values() if one.fund_id == fund_id]
    if left[Kind.PAYABLE] != sum(one.amount_tiyn for one in items if one.stage in UNPAID):
        yield f"fund {fund_id}: payable is not the sum of its unpaid items"
    if -left[Kind.RECEIVABLE] != sum(one.claimed_tiyn for one in items):
        yield f"fund {fund_id}: receivable is not what is claimed"
    if settled != sum(one.amount_tiyn for one in items if one.stage is Stage.SETTLED):
        yield f"fund {fund_id}: paid is not the sum of its settled items"
    for one in items:
        if one.frozen and one.stage in PAID:
            yield f"item {one.id} left although it is frozen"


def _items(store: Store) -> Iterator[str]:
    """Each item is where it should be by what was signed, disputed and ordered."""
    signed = {(id_, month, revision) for id_, month, revision, _ in store.rows("signed_revisions")}
    ordered = Counter[UUID]()
    for item in store.rows("items").values():
        if item.stage is Stage.CHARGED and (item.enrollment_id, item.month, item.revision) in signed:
            yield f"item {item.id} was signed and is not due"
        month = store.rows("months")[item.enrollment_id, item.month]
        if item.stage in UNPAID and item.frozen is not month.frozen:
            yield f"item {item.id} is frozen: {item.frozen}, its month: {month.frozen}"
        if item.payout_id is not None:
            ordered[item.payout_id] += item.amount_tiyn
    for order in store.rows("payouts").values():
        if order.state is not PayoutState.BOUNCED and order.amount_tiyn != ordered[order.id]:
            yield f"{order.state} order {order.id} of {order.amount_tiyn} has {ordered[order.id]} of items"


def _months(store: Store) -> Iterator[str]:
    """Captured for a month is what its items say and its holds, and what stays held is disputed."""
    owed, captured = Counter[MonthKey](), Counter[MonthKey]()
    months = store.rows("months")
    for item in store.rows("items").values():
        owed[item.enrollment_id, item.month] += item.owed_tiyn
        captured[item.enrollment_id, item.month] -= item.claimed_tiyn
    for hold in store.rows("holds").values():
        captured[hold.enrollment_id, hold.month] += sum(layer.captured_tiyn for layer in hold.layers)
        month = months[hold.enrollment_id, hold.month]
        if hold.open and month.state == "charged" and hold.remaining_tiyn != month.disputed_tiyn:
            yield f"hold {hold.id} reserves {hold.remaining_tiyn}, disputed is {month.disputed_tiyn}"
    for key, month in months.items():
        if not month.captured_tiyn == owed[key] == captured[key]:
            yield f"{key}: captured {month.captured_tiyn}, owed {owed[key]}, of its holds {captured[key]}"
    yield from _costs(store)


def _costs(store: Store) -> Iterator[str]:
    """Captured is what the latest facts cost, as far as there was money, unless a dispute stops it."""
    latest: dict[MonthKey, int] = {}
    for enrollment_id, month, revision in store.rows("charges"):
        latest[enrollment_id, month] = max(revision, latest.get((enrollment_id, month), 0))
    for key, revision in latest.items():
        charged = store.rows("charges")[*key, revision][1]
        there = charged.amount_tiyn + charged.uncovered_tiyn
        if charged.code is None and not charged.frozen and charged.cost_tiyn != there:
            yield f"{key}: costs {charged.cost_tiyn}, captured {charged.amount_tiyn}"


def _events(world: World) -> Iterator[str]:
    """Each fact is told once, and in its order; a repetition has the id of the first."""
    told: defaultdict[tuple[str, str], set[bytes]] = defaultdict(set)
    last: dict[tuple[str, str], int] = {}
    seen: set[bytes] = set()
    for type_, event, id_ in _first_told(world, seen):
        told[type_, _identity(event)].add(id_)
        if type_ in NUMBERED:
            thing = type_, _thing(event)
            number = getattr(event, NUMBERED[type_])
            if number <= last.get(thing, 0):
                yield f"{type_} {thing[1]}: {number} after {last[thing]}"
            last[thing] = number
    for (type_, subject), ids in told.items():
        if type_ in ONCE and len(ids) > 1:
            yield f"{type_} {subject} is told {len(ids)} times"


def _identity(event: Event) -> str:
    """Of what may be told once: events about a whole enrollment name the child as their subject."""
    enrollment_id = getattr(event, "enrollment_id", None)
    return str(enrollment_id) if enrollment_id and event.subject == event.key else event.subject


def _thing(event: Event) -> str:
    names = ("enrollment_id", "group_id", "month")
    return "/".join(str(getattr(event, name)) for name in names if hasattr(event, name))


def _first_told(world: World, seen: set[bytes]) -> Iterable[tuple[str, Event, bytes]]:
    wanted = {*ONCE, *NUMBERED}
    for log in world.topics.logs.values():
        for record in log:
            headers = dict(record.headers)
            type_, id_ = headers["ce_type"].decode(), headers["ce_id"]
            if type_ in wanted and id_ not in seen:
                seen.add(id_)
                yield type_, catalog[type_].model_validate_json(record.value), id_
