"""What the wallet needs to be told besides what every service is: its bank, its account, and how it seals."""

from base64 import b64decode
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from shared.settings import Settings

_DEVELOPMENT_IBAN = "KZ41070S000000000001"
_DEVELOPMENT_LOG = "localhost/wallet"
_DEVELOPMENT_LOG_KEY = "ZGV2ZWxvcG1lbnQtb25seS1sb2cta2V5LTMyLWJ5dGU="
_KEY_BYTES = 32


class WalletSettings(Settings):
    """The settings of one of the wallet's processes."""

    bank_url: str = "http://127.0.0.1:8100/bank"
    """Where the bank takes orders and tells what became of them."""
    bank_timeout_seconds: Annotated[float, Field(gt=0, le=60)] = 10.0
    """After so long an order that was sent is `unknown`."""
    bank_ask_seconds: Annotated[float, Field(gt=0, le=3600)] = 30.0
    """Pause between two rounds of questions about orders that are on their way."""

    payer_name: Annotated[str, Field(min_length=1, max_length=140)] = "Social wallet, development"
    payer_bin: Annotated[str, Field(pattern="^[0-9]{12}$")] = "100140000003"
    payer_iban: Annotated[str, Field(pattern="^KZ[0-9]{5}[0-9A-Z]{13}$")] = _DEVELOPMENT_IBAN
    """The account that orders are paid from."""

    log_name: Annotated[str, Field(pattern="^[!-*,-~]+$", max_length=200)] = _DEVELOPMENT_LOG
    """What the ledger's log and its keys are called, for ever: `example.kz/wallet`."""
    log_keys: tuple[SecretStr, ...] = (SecretStr(_DEVELOPMENT_LOG_KEY),)
    """The Ed25519 keys that sign the log, base64 of 32 bytes each: two of them while one succeeds the other.
    Only the worker needs them."""
    checkpoints_folder: Path | None = None
    """Where signed heads of the log are published; best on a store where nothing can be written twice."""

    @field_validator("log_keys")
    @classmethod
    def _of_ed25519(cls, keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if not keys or any(len(b64decode(key.get_secret_value())) != _KEY_BYTES for key in keys):
            raise ValueError("SW_LOG_KEYS must be base64 of 32 bytes each")
        return keys

    @model_validator(mode="after")
    def _real_in_production(self) -> Self:
        if self.environment == "production":
            if self.payer_iban == _DEVELOPMENT_IBAN:
                raise ValueError("SW_PAYER_NAME, SW_PAYER_BIN and SW_PAYER_IBAN must be set in production")
            if not self.bank_url.startswith("https://"):
                raise ValueError("SW_BANK_URL must be https in production")
        return self

    def require_own_log(self) -> None:
        """Refuse to sign as the development does. Asked by the worker only: no other process has the keys."""
        known = _DEVELOPMENT_LOG_KEY in {key.get_secret_value() for key in self.log_keys}
        if not self.development and (
            known or self.log_name == _DEVELOPMENT_LOG or not self.checkpoints_folder
        ):
            raise ValueError("SW_LOG_NAME, SW_LOG_KEYS and SW_CHECKPOINTS_FOLDER must be set in production")


def own_settings(settings: Settings) -> WalletSettings:
    if not isinstance(settings, WalletSettings):
        raise TypeError("the wallet runs with its own settings")
    return settings
