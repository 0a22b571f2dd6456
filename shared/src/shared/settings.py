"""What differs between two runs of the same code, read from `SW_*` environment variables once, in `main`.

Handed down from there: no module below reads the environment. Development has secrets that anybody can read
here; production refuses them, and plain http to the issuer.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

_DEVELOPMENT_KEY = "ZGV2ZWxvcG1lbnQtb25seS1rZXktMzItYnl0ZXMtLi4="
_DEVELOPMENT_PEPPER = "development-only-pepper-of-no-value"


class Settings(BaseSettings):
    """The settings of one process."""

    model_config = SettingsConfigDict(env_prefix="SW_", frozen=True, extra="ignore")

    environment: Literal["development", "production"] = "production"
    database_url: Annotated[str, Field(pattern="^postgresql://", repr=False)]
    """The runtime role's; without UPDATE and DELETE on insert-only tables."""
    owner_database_url: Annotated[str | None, Field(pattern="^postgresql://", repr=False)] = None
    """The owner role's, for `migrate` only."""
    kafka_bootstrap: str = "127.0.0.1:9092"
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    metrics_port: Annotated[int | None, Field(ge=0, le=65535)] = None
    """Where a worker answers `/readyz` and `/metrics`."""

    issuer: str
    """Who signs access tokens: the exact `iss`."""
    jwks_url: str = ""
    """Where the issuer publishes its keys; `<issuer>/.well-known/jwks.json` unless said."""
    audience: str = "social-wallet"

    encryption_keys: dict[int, SecretStr] = {1: SecretStr(_DEVELOPMENT_KEY)}
    """Key id (1 to 255) to base64 of 32 bytes. The highest id encrypts, all of them decrypt."""
    pepper: SecretStr = SecretStr(_DEVELOPMENT_PEPPER)
    """Keys the blind indexes, the fingerprints of requests and the signatures of cursors."""

    otlp_endpoint: str | None = None
    """Base address of an OpenTelemetry collector (OTLP over HTTP); tracing is off without."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if not self.jwks_url:
            object.__setattr__(self, "jwks_url", f"{self.issuer.rstrip('/')}/.well-known/jwks.json")
        if self.environment == "production":
            self._refuse_development_values()
        return self

    def _refuse_development_values(self) -> None:
        keys = {key.get_secret_value() for key in self.encryption_keys.values()}
        if _DEVELOPMENT_KEY in keys:
            raise ValueError("SW_ENCRYPTION_KEYS must be set in production")
        if self.pepper.get_secret_value() == _DEVELOPMENT_PEPPER:
            raise ValueError("SW_PEPPER must be set in production")
        if not (self.issuer.startswith("https://") and self.jwks_url.startswith("https://")):
            raise ValueError("SW_ISSUER and SW_JWKS_URL must be https in production")

    @property
    def development(self) -> bool:
        """Whether business time may be shifted and secrets may be the known ones."""
        return self.environment == "development"
