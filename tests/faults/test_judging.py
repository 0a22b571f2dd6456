"""Those who judge a run of faults see what is wrong: or nothing found would prove nothing."""

import json
from dataclasses import replace
from typing import Any
from uuid import uuid4

from aiokafka.structs import ConsumerRecord

from rig.faults import verdicts
from rig.faults.nemesis import Window
from rig.faults.observer import Observer
from rig.faults.traffic import Answer
from rig.faults.verdicts import Verdicts
from rig.system import SERVICES

ENTITLEMENT = "enrollment.entitlement_described.v1"


def record(type_: str, *, id_: str | None = None, offset: int = 0, **content: Any) -> ConsumerRecord:  # noqa: ANN401 - JSON
    headers = [("ce_id", (id_ or str(uuid4())).encode()), ("ce_type", type_.encode())]
    value = json.dumps(content).encode()
    return ConsumerRecord("enrollment.events", 0, offset, 0, 0, b"k", value, None, 1, len(value), headers)


def seen(*records: ConsumerRecord) -> Observer:
    observer = Observer("nowhere")
    for one in records:
        observer.see(one)
    return observer


def test_a_version_that_goes_back_is_seen_and_one_that_comes_again_is_not_wrong() -> None:
    first = record(ENTITLEMENT, id_="one", entitlement_id="e", version=1)
    second = record(ENTITLEMENT, id_="two", entitlement_id="e", version=2)
    other = record(ENTITLEMENT, entitlement_id="other", version=1)
    again = seen(first, second, other, first, second)
    assert (again.wrong, again.repeats) == ([], 2)
    assert len(seen(second, first).wrong) == 1
    assert len(seen(second, record(ENTITLEMENT, entitlement_id="e", version=2)).wrong) == 1


def test_steps_of_an_enrollment_in_the_wrong_order_are_seen() -> None:
    asked = record("enrollment.seat_requested.v1", enrollment_id="e")
    confirmed = record("enrollment.confirmed.v1", enrollment_id="e")
    assert seen(asked, confirmed).wrong == []
    assert len(seen(confirmed, asked).wrong) == 1


def test_only_what_a_service_handles_and_has_not_taken_in_is_before_it() -> None:
    observer = seen(
        record("enrollment.seat_requested.v1", enrollment_id="a", offset=4),
        record("enrollment.seat_requested.v1", enrollment_id="b", offset=5),
        record("enrollment.confirmed.v1", enrollment_id="a", offset=6),
    )
    place = ("enrollment.events", 0)
    assert observer.before("clubs", {place: 4}) == 2
    assert observer.before("clubs", {place: 5}) == 1
    assert observer.before("clubs", {place: 6}) == 0
    assert observer.before("notifications", {place: 6}) == 1


def judged(*answers: Answer, windows: tuple[Window, ...] = ()) -> list[str]:
    """The lines that are not ok, of the wallet's API and of all."""
    good = [Answer(f"{service}-api", 100, 100.1, 200, retry_after=False) for service in SERVICES]
    told = Verdicts()
    verdicts.answers([*good, *answers], windows, told)
    return [line for line in told.lines if not line.startswith("ok")]


def test_an_answer_of_5xx_counts_unless_its_api_was_down() -> None:
    refused = Answer("wallet-api", 10.5, 10.6, 503, retry_after=True)
    assert "wallet-api: 50.00 %" in judged(refused)[0]
    assert judged(refused, windows=(Window(10, 11, frozenset({"wallet-api"}), "kill"),)) == []
    assert len(judged(refused, windows=(Window(10, 11, frozenset({"clubs-api"}), "kill"),))) == 1


def test_without_a_database_every_failure_says_503_and_when_to_ask_again() -> None:
    away = (Window(10, 20, frozenset({"database"}), "away"),)
    assert judged(Answer("wallet-api", 11, 12, 503, retry_after=True), windows=away) == []
    for status, retry_after in ((500, True), (503, False), (0, False)):
        found = judged(Answer("wallet-api", 11, 12, status, retry_after=retry_after), windows=away)
        assert len(found) == 1
        assert "database away" in found[0]


def test_a_long_wait_is_a_hang_unless_it_was_asked_for_or_the_api_stood_still() -> None:
    away = (Window(10.6, 20, frozenset({"database"}), "away"),)
    long = Answer("wallet-api", 9, 20.5, 503, retry_after=True)
    assert judged(long, windows=away) == []
    away = (Window(9, 20, frozenset({"database"}), "away"),)
    assert "1 longer" in judged(long, windows=away)[0]
    assert judged(replace(long, asked_to_wait=5), windows=away) == []
    assert judged(replace(long, status=200)) == []
    assert "the longest took 37.0 s" in judged(replace(long, status=200, ended=46))[0]
    stopped = (Window(10, 50, frozenset({"wallet-api"}), "stop"),)
    assert judged(replace(long, status=200, ended=46), windows=stopped) == []
