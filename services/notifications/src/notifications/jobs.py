"""The worker's own loop: sends copies of messages by e-mail and SMS.

A claim is committed before the call and settled after it, in a transaction of its own: nothing is held open
while a server far away thinks. Killed in between, a delivery is sent once more when its lease is over, under
the same id.
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

import httpx
import structlog

from notifications.domain.reaching import pause_after
from notifications.outside import SECONDS_MAX, MailServer, Outcome, Sent, SmsGateway, Trouble
from notifications.repository import deliveries
from notifications.repository.deliveries import Delivery
from notifications.settings import NotificationSettings
from notifications.texts import render
from notifications.usecases.reaching import place_of
from shared.edge import Edge
from shared.encryption import Keyring
from shared.retrying import until_it_passes
from shared.settings import Settings
from shared.tls import tls

AT_ONCE = 20
LEASE = timedelta(seconds=4 * SECONDS_MAX)
"""Longer than an attempt can take, with its dialog of several timeouts."""
IDLE_SECONDS = 0.5

log = structlog.get_logger()


async def send_copies(edge: Edge, settings: Settings) -> None:
    """Send what is due, for ever."""
    if not isinstance(settings, NotificationSettings):
        raise TypeError("notifications has settings of its own")
    async with httpx.AsyncClient(verify=tls()) as client:
        post = Post(
            edge,
            Keyring.of(settings),
            MailServer(settings.smtp_host, settings.smtp_port, settings.mail_from),
            SmsGateway(settings.sms_url, client),
        )
        while True:
            if not await until_it_passes(post.send_some):
                await asyncio.sleep(IDLE_SECONDS)


@dataclass(frozen=True, slots=True)
class Post:
    """What it takes to send."""

    edge: Edge
    keys: Keyring
    mail: MailServer
    sms: SmsGateway

    async def send_some(self) -> int:
        """Claim what is due, up to a handful, and send each; how many it was."""
        async with self.edge.transaction() as tx:
            claimed = await deliveries.claim(tx, limit=AT_ONCE, lease=LEASE)
        async with asyncio.TaskGroup() as group:
            for delivery in claimed:
                group.create_task(self._deliver(delivery))
        return len(claimed)

    async def _deliver(self, delivery: Delivery) -> None:
        try:
            async with asyncio.timeout(LEASE.total_seconds() / 2):
                outcome = await self._send(delivery)
        except TimeoutError:
            outcome = Trouble("took_too_long", passing=True)
        except Exception as error:  # noqa: BLE001 - one message nobody can send must not stop the others
            kind = type(error).__name__  # without its text and trace: they could name the address
            log.error("delivery_impossible", delivery_id=str(delivery.id), error=kind)  # noqa: TRY400 - see above
            outcome = Trouble("delivery_impossible", passing=False)
        await until_it_passes(self._settle, delivery, outcome)

    async def _send(self, delivery: Delivery) -> Outcome:
        if delivery.address is None:
            return Trouble("contact_removed", passing=False)
        address = self.keys.decrypt(delivery.address, place=place_of(delivery.channel, delivery.person_id))
        text = render(delivery.kind, delivery.content, delivery.language)
        if delivery.channel == "email":
            return await self.mail.send(delivery.id, address, text, delivery.created_at)
        return await self.sms.send(delivery.id, address, text)

    async def _settle(self, delivery: Delivery, outcome: Outcome) -> None:
        async with self.edge.transaction() as tx:
            match outcome:
                case Sent():
                    await deliveries.settle_sent(tx, delivery)
                case Trouble(code, passing):
                    pause = pause_after(delivery.attempts) if passing else None
                    await deliveries.settle_failed(tx, delivery, code, pause)
                    if pause is None:
                        log.warning("delivery_given_up", delivery_id=str(delivery.id), code=code)
