"""A checkpoint says how long the log is and what its root is, in one form, signed by the log of that name."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from wallet.domain.proof import notes
from wallet.domain.proof.checkpoints import Checkpoint, open_checkpoint, sign
from wallet.domain.proof.merkle import EMPTY_ROOT, SIZE_MAX
from wallet.domain.proof.notes import VerifierKey
from wallet.domain.proof.unproven import UnprovenError

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
ORIGIN = "example.com/behind-the-sofa"
LOG = VerifierKey.of(ORIGIN, KEY)
TEXT = f"{ORIGIN}\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
"""The example of the specification."""
ROOT = bytes.fromhex("0ac5186a91863e8e1d90c808014aa89bf5da8e3ee1d9f07630f0378f68f1ab62")
HEAD = Checkpoint(ORIGIN, 20852163, ROOT)
LINES = st.text("a 1—+=ж\u2028", min_size=1)


def test_the_example_of_the_specification_is_read_and_written() -> None:
    assert Checkpoint.read(TEXT) == HEAD
    assert HEAD.text == TEXT


@given(st.integers(0, SIZE_MAX), st.binary(min_size=32, max_size=32), st.lists(LINES, max_size=3))
def test_what_a_log_signs_is_what_others_open(size: int, root: bytes, lines: list[str]) -> None:
    head = Checkpoint(ORIGIN, size, root, tuple(lines))
    assert open_checkpoint(sign(head, KEY), LOG) == head


def test_an_empty_log_can_be_signed_too() -> None:
    assert open_checkpoint(sign(Checkpoint(ORIGIN, 0, EMPTY_ROOT), KEY), LOG).size == 0


def test_of_another_log_nothing_is_believed_even_if_we_signed_it() -> None:
    with pytest.raises(UnprovenError, match=r"^signature: "):
        open_checkpoint(sign(Checkpoint("example.com/other", 1, ROOT), KEY), LOG)
    disguised = notes.sign(TEXT.replace(ORIGIN, "example.com/other"), ORIGIN, KEY)
    with pytest.raises(UnprovenError, match=r"^origin: "):
        open_checkpoint(disguised, LOG)


def test_what_is_signed_but_no_checkpoint_is_refused() -> None:
    with pytest.raises(UnprovenError, match=r"^text: "):
        open_checkpoint(notes.sign("hello\n", ORIGIN, KEY), LOG)


def test_a_checkpoint_of_which_one_character_was_changed_is_not_believed() -> None:
    note = sign(HEAD, KEY)
    for place, one in enumerate(note):
        for other in ("", "\n", chr(ord(one) - 1), chr(ord(one) + 1)):
            if other != one:
                with pytest.raises(UnprovenError):
                    open_checkpoint(note[:place] + other + note[place + 1 :], LOG)


@pytest.mark.parametrize(
    "text",
    [
        "",
        TEXT[:-1],
        TEXT.replace(ORIGIN, ""),
        TEXT.replace("20852163", ""),
        TEXT.replace("20852163", "020852163"),
        TEXT.replace("20852163", "+20852163"),
        TEXT.replace("20852163", "-1"),
        TEXT.replace("20852163", "20_852_163"),
        TEXT.replace("20852163", "٢٠"),
        TEXT.replace("20852163", str(SIZE_MAX + 1)),
        TEXT.replace("20852163", "9" * 5000),
        TEXT.replace("q2I=", "q2J="),  # the same bytes
        TEXT.replace("CsUY", ""),
        TEXT.replace("CsUY", "CsUYCsUY"),
        TEXT.replace("CsUY", "Cs-Y"),
        TEXT.replace("\n", "\r\n"),
        f"{TEXT}\n",
        f"{TEXT}\nextension\n",
        f"{TEXT}extension",
    ],
)
def test_a_head_in_another_form_is_none(text: str) -> None:
    with pytest.raises(UnprovenError, match=r"^text: "):
        Checkpoint.read(text)


@pytest.mark.parametrize(
    "head",
    [
        Checkpoint(f"evil\n999\n{TEXT.split()[2]}\n{ORIGIN}", 1, ROOT),
        Checkpoint("", 1, ROOT),
        Checkpoint("two words", 1, ROOT),
        Checkpoint(ORIGIN, -1, ROOT),
        Checkpoint(ORIGIN, SIZE_MAX + 1, ROOT),
        Checkpoint(ORIGIN, 1, ROOT[1:]),
        Checkpoint(ORIGIN, 1, ROOT, ("one\ntwo",)),
        Checkpoint(ORIGIN, 1, ROOT, ("",)),
        Checkpoint(ORIGIN, 1, ROOT, ("a\tb",)),
    ],
)
def test_a_head_that_would_be_read_as_another_is_not_signed(head: Checkpoint) -> None:
    with pytest.raises(UnprovenError):
        sign(head, KEY)
