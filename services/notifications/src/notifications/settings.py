"""What notifications needs to know beyond every service's settings: where e-mail and SMS are handed over."""

from typing import Annotated

from pydantic import Field

from shared.settings import Settings


class NotificationSettings(Settings):
    """The settings of a process of notifications."""

    smtp_host: str = "127.0.0.1"
    smtp_port: Annotated[int, Field(ge=1, le=65535)] = 25
    mail_from: str = "no-reply@social-wallet.localhost"
    """The sender of every e-mail; its domain also makes the Message-IDs."""
    sms_url: Annotated[str, Field(pattern="^https?://")] = "http://127.0.0.1:8025/sms"
    """Takes `POST {id, to, text}` and answers 202; the same id again is the same SMS."""
