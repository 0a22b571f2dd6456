"""Business time stops at what is due on the way, in its order, and never goes back."""

from datetime import UTC, datetime, timedelta

import pytest

from local.clock import after, next_step, parse
from local.errors import LocalError

NOW = datetime(2026, 9, 1, 4, 0, tzinfo=UTC)
TARGET = NOW + timedelta(days=30)


def test_civil_time_is_five_hours_ahead_of_utc() -> None:
    assert parse("2026-10-03T09:00") == datetime(2026, 10, 3, 4, 0, tzinfo=UTC)
    assert parse("2026-10-03") == datetime(2026, 10, 2, 19, 0, tzinfo=UTC)


@pytest.mark.parametrize("text", ["tomorrow", "2026-13-01", "", "2026-10-03T25:00"])
def test_what_is_no_time_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(LocalError, match="2026-10-03T09:00"):
        parse(text)


def test_durations_are_days_hours_and_minutes() -> None:
    assert after(NOW, "3d") == NOW + timedelta(days=3)
    assert after(NOW, "30m") == NOW + timedelta(minutes=30)


@pytest.mark.parametrize("text", ["3", "d", "-3d", "3w", "", "3.5h"])
def test_other_durations_are_refused(text: str) -> None:
    with pytest.raises(LocalError):
        after(NOW, text)


def test_without_deadlines_it_goes_to_the_target_at_once() -> None:
    assert next_step(NOW, TARGET, [None, None]) == TARGET


def test_it_stops_at_the_earliest_deadline_whoever_has_it() -> None:
    first, second = NOW + timedelta(days=3), NOW + timedelta(days=9)
    assert next_step(NOW, TARGET, [second, None, first]) == first


def test_deadlines_of_the_same_minute_are_one_stop() -> None:
    first = NOW + timedelta(days=3)
    close = first + timedelta(seconds=40)
    assert next_step(NOW, TARGET, [first, close, first + timedelta(minutes=5)]) == close


def test_it_never_passes_the_target_or_goes_back() -> None:
    assert next_step(NOW, TARGET, [NOW - timedelta(days=1), TARGET + timedelta(days=1)]) == TARGET
