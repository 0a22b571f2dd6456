"""What is signed is read by everybody's tools, and what is not signed by the one we believe is not read.

The keys and signatures are those of Go's reference tests (golang.org/x/mod/sumdb/note) and of the
specification's example.
"""

from base64 import b64decode, b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from wallet.domain.proof.notes import NOTE_LENGTH_MAX, SIGNATURES_MAX, VerifierKey, open_note, sign
from wallet.domain.proof.unproven import UnprovenError

TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETERS_SEED = b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
PETER_SIGNED = (
    "— PeterNeumann "
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
ENOCH = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
ENOCH_SIGNED = (
    "— EnochRoot "
    "rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"
)
EXAMPLE = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
EXAMPLE_NOTE = (
    "This is an example message.\n\n— example.com/foo "
    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)
NOTE = f"{TEXT}\n{PETER_SIGNED}"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


def refused(note: str, check: str, key: str = PETER) -> None:
    with pytest.raises(UnprovenError) as told:
        open_note(note, VerifierKey.read(key))
    assert told.value.check == check


def test_what_others_signed_is_read_by_their_keys() -> None:
    assert open_note(NOTE, VerifierKey.read(PETER)) == TEXT
    assert open_note(EXAMPLE_NOTE, VerifierKey.read(EXAMPLE)) == "This is an example message.\n"


def test_what_we_sign_is_what_others_would_write() -> None:
    key = Ed25519PrivateKey.from_private_bytes(PETERS_SEED)
    assert sign(TEXT, "PeterNeumann", key) == NOTE
    assert str(VerifierKey.of("PeterNeumann", key)) == PETER


def test_who_else_signed_does_not_matter() -> None:
    both = NOTE + ENOCH_SIGNED
    assert open_note(both, VerifierKey.read(PETER)) == TEXT
    assert open_note(both, VerifierKey.read(ENOCH)) == TEXT
    wrong = ENOCH_SIGNED.replace("5n2t", "5n3t")
    longer = f"— {'w' * 100} {b64encode(bytes(5000)).decode()}\n"
    assert open_note(f"{TEXT}\n{wrong}{longer}{PETER_SIGNED}", VerifierKey.read(PETER)) == TEXT
    refused(NOTE, "signature", ENOCH)


def test_a_signature_of_the_same_name_by_an_unknown_key_is_one_of_others() -> None:
    successor = sign(TEXT, "PeterNeumann", KEY)
    refused(successor, "signature")
    assert open_note(successor + PETER_SIGNED, VerifierKey.read(PETER)) == TEXT


def test_one_wrong_signature_of_the_key_we_believe_is_one_too_many() -> None:
    refused(NOTE + PETER_SIGNED.replace("NIuG", "NIuH"), "signature")
    assert open_note(NOTE + PETER_SIGNED, VerifierKey.read(PETER)) == TEXT


@pytest.mark.parametrize("length", [1, 63, 65, 5000])
def test_a_signature_of_another_length_is_wrong(length: int) -> None:
    content = VerifierKey.read(PETER).id + bytes(length)
    refused(f"{TEXT}\n— PeterNeumann {b64encode(content).decode()}\n", "signature")


def test_while_a_key_succeeds_another_both_sign() -> None:
    old = Ed25519PrivateKey.from_private_bytes(PETERS_SEED)
    note = sign(TEXT, "PeterNeumann", old, KEY)
    assert note.startswith(NOTE)
    for key in (old, KEY):
        assert open_note(note, VerifierKey.of("PeterNeumann", key)) == TEXT


def test_a_note_of_which_one_character_was_changed_is_not_believed() -> None:
    for place, one in enumerate(NOTE):
        for other in ("", "\n", chr(ord(one) - 1), chr(ord(one) + 1)):
            if other != one:
                with pytest.raises(UnprovenError):
                    open_note(NOTE[:place] + other + NOTE[place + 1 :], VerifierKey.read(PETER))


def test_a_text_may_have_empty_lines_and_what_looks_like_signatures() -> None:
    for text in ("\n", "one\n\n\n", f"{NOTE}\n{ENOCH_SIGNED}", "қазақша ✓\n"):
        assert open_note(sign(text, "log", KEY), VerifierKey.of("log", KEY)) == text


@pytest.mark.parametrize(
    "note",
    [
        "",
        "\n",
        "\n\n",
        TEXT,
        f"{TEXT}\n",
        PETER_SIGNED,
        NOTE[:-1],
        f"{NOTE}\n",
        f"{NOTE}Another line.\n",
        NOTE.replace("\n", "\r\n"),
        f"\x01{NOTE}",
        f"\ud800{NOTE}",
        NOTE.replace("— ", "- "),
        NOTE.replace("— PeterNeumann ", "— Peter Neumann "),
        NOTE.replace("— PeterNeumann ", "— Peter+Neumann "),
        NOTE.replace("nAM=", "nAN="),  # the same bytes
        NOTE.replace("nAM=", "nAM"),
        f"{TEXT}\n— PeterNeumann x08gow==\n",  # the key's id alone
        NOTE.replace("nAM=", "nAM=="),
        NOTE.replace("x08g", "x0-g"),
        NOTE + PETER_SIGNED * SIGNATURES_MAX,
        TEXT * (NOTE_LENGTH_MAX // len(TEXT)) + NOTE,
    ],
)
def test_what_is_no_note_is_refused_as_such(note: str) -> None:
    refused(note, "note")


@given(st.text(st.sampled_from("a —\n=A1+/\0\ud800")))
def test_nobody_can_make_us_stumble_over_a_note(text: str) -> None:
    for note in (text, f"{TEXT}\n{text}", f"{NOTE}{text}", f"{TEXT}\n— {text}\n"):
        if note != NOTE:
            with pytest.raises(UnprovenError):
                open_note(note, VerifierKey.read(PETER))


@pytest.mark.parametrize("text", ["", "no newline", "a\tb\n", "a\r\n", "\ud800\n", NOTE[:-1]])
def test_a_text_that_nobody_could_read_is_not_signed(text: str) -> None:
    with pytest.raises(UnprovenError):
        sign(text, "log", KEY)


def test_a_text_without_a_signature_is_no_note() -> None:
    with pytest.raises(UnprovenError):
        sign(TEXT, "log")


@pytest.mark.parametrize("name", ["", "two words", "a+b", "a\n", "a\u2003b", "\udfff"])
def test_a_name_that_nobody_could_read_signs_nothing(name: str) -> None:
    with pytest.raises(UnprovenError):
        sign(TEXT, name, KEY)


def test_a_key_of_which_anything_is_changed_or_cut_is_no_key() -> None:
    for start in range(len(PETER)):
        for stop in range(start, len(PETER) + 1):
            if stop - start < len(PETER):
                assert_no_key(PETER[start:stop])
        assert_no_key(PETER[:start] + chr(ord(PETER[start]) + 1) + PETER[start + 1 :])


@pytest.mark.parametrize(
    "text",
    [
        "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",  # too long
        "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",  # of another kind
        PETER.replace("c74f20a3", "C74F20A3"),
        f"{PETER}\n",
        f" {PETER}",
        f"\ud800{PETER}",
        EXAMPLE.replace("foo", "fo\uff4f"),
    ],
)
def test_a_key_in_another_form_is_no_key(text: str) -> None:
    assert_no_key(text)


def assert_no_key(text: str) -> None:
    with pytest.raises(UnprovenError, match=r"^key: "):
        VerifierKey.read(text)
