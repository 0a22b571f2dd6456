"""What `rig/likeness.py` takes for the same, and what not."""

from uuid import UUID

import pytest

from rig import likeness
from rig.likeness import Likeness

KNOWN = UUID(int=7).hex


def told(child: int, other: int, *, amount: int = 5, held_by: int | None = None) -> Likeness:
    """Two children with a hold each, made under these ids; the fund of the first hold is known."""
    one, two = UUID(int=child), UUID(int=other)
    holder = UUID(int=held_by) if held_by else two
    rows = [
        ("children", f'{{"id": "{one}", "name": "A"}}'),
        ("children", f'{{"id": "{two}", "name": "B"}}'),
        ("holds", f'{{"child": "{one}", "tiyn": 5, "key": "funding/{one.hex}", "fund": "{KNOWN}"}}'),
        ("holds", f'{{"child": "{holder}", "tiyn": {amount}}}'),
    ]
    return likeness.of_rows(rows, {KNOWN})


def test_other_ids_are_the_same() -> None:
    assert told(1, 2).digest == told(2, 1).digest == told(30, 40).digest


@pytest.mark.parametrize(
    ("other", "what"),
    [
        (told(1, 2, amount=6), "an amount"),
        (told(1, 2, held_by=1), "whose it is"),
        (told(1, 2, held_by=3), "that it is nobody's"),
        (told(1, UUID(KNOWN).int), "a known id in the place of a new one"),
    ],
)
def test_anything_else_is_a_difference(other: Likeness, what: str) -> None:
    assert told(1, 2).digest != other.digest, what
    assert list(told(1, 2).differences(other)), what
