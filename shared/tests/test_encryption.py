"""What is encrypted can be read by its own key, in its own place, and nowhere else."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from shared.encryption import CiphertextError, Keyring
from shared.settings import Settings

PLACE = "child.iin|1"


def _keyring(*ids: int, pepper: str = "pepper") -> Keyring:
    keys = {id_: SecretStr(base64.b64encode(bytes([id_]) * 32).decode()) for id_ in ids}
    return Keyring.of(_settings(encryption_keys=keys, pepper=SecretStr(pepper)))


def _settings(**values: object) -> Settings:
    known = {"environment": "development", "database_url": "postgresql://a@b/c", "issuer": "http://i"}
    return Settings.model_validate(known | values)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_what_is_encrypted_can_be_read(value: str) -> None:
    assert _keyring(1).decrypt(_keyring(1).encrypt(value, place=PLACE), place=PLACE) == value


def test_the_same_value_never_looks_the_same() -> None:
    keyring = _keyring(1)
    assert keyring.encrypt("880101300123", place=PLACE) != keyring.encrypt("880101300123", place=PLACE)


def test_after_a_rotation_the_new_key_encrypts_and_the_old_still_reads() -> None:
    old = _keyring(1).encrypt("880101300123", place=PLACE)
    rotated = _keyring(1, 2)
    assert rotated.decrypt(old, place=PLACE) == "880101300123"
    assert rotated.encrypt("880101300123", place=PLACE)[0] == 2
    with pytest.raises(CiphertextError):
        _keyring(2).decrypt(old, place=PLACE)


def test_a_ciphertext_is_good_for_its_place_only() -> None:
    keyring = _keyring(1)
    with pytest.raises(CiphertextError):
        keyring.decrypt(keyring.encrypt("880101300123", place=PLACE), place="child.iin|2")


@given(st.binary(max_size=60))
def test_bytes_that_are_not_ours_are_refused(ciphertext: bytes) -> None:
    with pytest.raises(CiphertextError):
        _keyring(1).decrypt(ciphertext, place=PLACE)


@given(st.integers(min_value=0, max_value=39))
def test_a_changed_byte_is_noticed(index: int) -> None:
    ciphertext = bytearray(_keyring(1).encrypt("880101300123", place=PLACE))
    ciphertext[index] ^= 1
    with pytest.raises(CiphertextError):
        _keyring(1).decrypt(bytes(ciphertext), place=PLACE)


def test_the_blind_index_finds_equal_values_of_one_purpose_and_pepper() -> None:
    index = _keyring(1).blind_index("880101300123", purpose="iin")
    assert index == _keyring(2).blind_index("880101300123", purpose="iin")
    assert index != _keyring(1).blind_index("880101300123", purpose="bin")
    assert index != _keyring(1).blind_index("880101300124", purpose="iin")
    assert index != _keyring(1, pepper="other").blind_index("880101300123", purpose="iin")


def test_a_keyring_shows_nothing_of_its_keys() -> None:
    assert "pepper" not in repr(_keyring(1)).replace("pepper=", "")
    assert "AESGCM" not in repr(_keyring(1))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"encryption_keys": {1: base64.b64encode(b"k" * 32).decode()}},
        {"pepper": "of our own"},
        {
            "encryption_keys": {1: base64.b64encode(b"k" * 32).decode()},
            "pepper": "of our own",
            "issuer": "http://i",
        },
    ],
)
def test_production_does_not_start_with_what_anybody_can_read(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        _settings(**({"environment": "production", "issuer": "https://i"} | changes))


def test_production_starts_with_secrets_of_its_own() -> None:
    keys = {1: base64.b64encode(b"k" * 32).decode()}
    settings = _settings(environment="production", issuer="https://i", encryption_keys=keys, pepper="hidden")
    assert settings.jwks_url == "https://i/.well-known/jwks.json"
    assert "hidden" not in repr(settings)
    assert "postgresql" not in repr(settings)
