"""What the wallet needs to be told besides what every service is: its bank, and the account that pays."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from shared.settings import Settings

_DEVELOPMENT_IBAN = "KZ41070S000000000001"


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

    @model_validator(mode="after")
    def _real_in_production(self) -> Self:
        if self.environment == "production":
            if self.payer_iban == _DEVELOPMENT_IBAN:
                raise ValueError("SW_PAYER_NAME, SW_PAYER_BIN and SW_PAYER_IBAN must be set in production")
            if not self.bank_url.startswith("https://"):
                raise ValueError("SW_BANK_URL must be https in production")
        return self
