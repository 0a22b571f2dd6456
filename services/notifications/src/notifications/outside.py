"""The ports to the outside: an e-mail by SMTP, an SMS by HTTP. Each attempt has one of three outcomes.

Both carry an id that stays the same for all attempts of a delivery, so that a repeat can be recognized.
"""

from dataclasses import dataclass
from datetime import datetime
from email.header import Header
from email.headerregistry import Address
from email.mime.text import MIMEText
from email.utils import format_datetime
from http import HTTPStatus
from uuid import UUID

import aiosmtplib
import httpx

from notifications.texts import Rendered

SECONDS_MAX = 10
PERMANENT = 500
"""SMTP replies from here on mean: do not try again."""


@dataclass(frozen=True, slots=True)
class Sent:
    """The next server took it over."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """It was not taken over: a stable code of why, and whether trying again can help."""

    code: str
    passing: bool


Outcome = Sent | Trouble


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where e-mail is handed over."""

    host: str
    port: int
    sender: str

    async def send(self, id_: UUID, to: str, text: Rendered, written_at: datetime) -> Outcome:
        """Hand one e-mail over."""
        try:
            await aiosmtplib.send(
                self._mail(id_, to, text, written_at),
                hostname=self.host,
                port=self.port,
                timeout=SECONDS_MAX,
            )
        except aiosmtplib.SMTPRecipientsRefused as refused:
            return _refused(max(one.code for one in refused.recipients))
        except aiosmtplib.SMTPResponseException as refused:
            return _refused(refused.code)
        except (aiosmtplib.SMTPException, OSError, TimeoutError):
            return Trouble("mail_server_unreachable", passing=True)
        return Sent()

    def _mail(self, id_: UUID, to: str, text: Rendered, written_at: datetime) -> MIMEText:
        domain = self.sender.rpartition("@")[2]
        # Not an EmailMessage: where it folds a long subject that is not ASCII, a space is lost.
        mail = MIMEText(text.body, "plain", "utf-8")
        mail["Message-ID"] = f"<{id_}@{domain}>"
        mail["Date"] = format_datetime(written_at)
        mail["From"] = self.sender
        mail["To"] = str(Address(addr_spec=to))
        mail["Subject"] = Header(text.title, "utf-8", header_name="Subject").encode()
        mail["Auto-Submitted"] = "auto-generated"
        return mail


def _refused(code: int) -> Trouble:
    permanent = code >= PERMANENT
    return Trouble("mail_refused" if permanent else "mail_deferred", passing=not permanent)


@dataclass(frozen=True, slots=True)
class SmsGateway:
    """Where SMS are handed over."""

    url: str
    client: httpx.AsyncClient

    async def send(self, id_: UUID, to: str, text: Rendered) -> Outcome:
        """Hand one SMS over: title and body in one text."""
        content = {"id": str(id_), "to": to, "text": f"{text.title}. {text.body}"}
        try:
            answer = await self.client.post(self.url, json=content, timeout=SECONDS_MAX)
        except httpx.HTTPError:
            return Trouble("sms_gateway_unreachable", passing=True)
        if answer.is_success:
            return Sent()
        # Ours to mend or theirs: the request itself is as good at the next attempt as it is now.
        busy = answer.status_code in (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)
        passing = busy or answer.is_server_error
        return Trouble("sms_deferred" if passing else "sms_refused", passing=passing)
