"""A bank that loses orders and answers, and says things twice or late; and the wallet's jobs beside it."""

from contextlib import suppress
from typing import Any
from uuid import UUID

from defusedxml.ElementTree import fromstring  # type: ignore[import-untyped] # ships no types

from rig.simulation.orders import PAYEE
from rig.simulation.world import World
from wallet.bank import NoAnswerError, Sender
from wallet.domain.payouts import State
from wallet.repository.payouts import Payout
from wallet.usecases import answers
from wallet.usecases.submitting import OrderChangedError

_REPORT = (
    '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.10"><CstmrPmtStsRpt>'
    "<OrgnlGrpInfAndSts><OrgnlMsgId>{msg_id}</OrgnlMsgId></OrgnlGrpInfAndSts>"
    "<OrgnlPmtInfAndSts><TxInfAndSts><OrgnlEndToEndId>{msg_id}</OrgnlEndToEndId><TxSts>{status}</TxSts>"
    "{reason}</TxInfAndSts></OrgnlPmtInfAndSts></CstmrPmtStsRpt></Document>"
)
LOST, CUT, REJECTED = 0.15, 0.25, 0.2
_ID = "{*}CstmrCdtTrfInitn/{*}GrpHdr/{*}MsgId"


class PaidTwiceError(AssertionError):
    """The bank has got an order a second time."""


class Bank:
    """Also the connection to it, as `wallet.bank.Bank` is."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._taken: dict[str, str] = {}
        """What becomes of each order."""

    async def send(self, order: bytes) -> None:
        """Takes it, and may lose it before, or the answer after."""
        chance = self._world.dice.random() if self._faulty else 1
        if chance < LOST:
            self._world.happened("bank: lost order")
            raise NoAnswerError("lost")
        msg_id = fromstring(order.decode()).find(_ID).text
        if msg_id in self._taken:
            raise PaidTwiceError(msg_id)
        self._taken[msg_id] = "RJCT" if self._world.dice.random() < REJECTED else "ACSC"
        if chance < LOST + CUT:
            self._world.happened("bank: lost answer")
            raise NoAnswerError("cut")

    @property
    def _faulty(self) -> bool:
        return self._world.machines["wallet"].rates.crash > 0

    def submit(self) -> None:
        """The wallet's job that sends: one order."""
        connection: Any = self
        wallet = self._world.machines["wallet"]
        wallet.do(Sender(wallet.edge, connection, PAYEE).send_next())

    def answer(self) -> None:
        """The wallet's job that asks: all orders that are on their way."""
        wallet = self._world.machines["wallet"]
        for order in [one for one in wallet.store.rows("payouts").values() if _is_there(one)]:
            wallet.do(self._ask(order))

    async def _ask(self, order: Payout) -> None:
        edge = self._world.machines["wallet"].edge
        fate = self._taken.get(order.msg_id)
        said = self._world.dice.choice(([fate], [fate, fate], ["ACSP"], ["ACSP", fate], []))
        with suppress(OrderChangedError):
            if fate is None:
                async with edge.transaction() as tx:
                    await answers.note_not_known(tx, order.id)
                return
            if order.state is State.UNKNOWN:
                async with edge.transaction() as tx:
                    await answers.note_known(tx, order.id)
            for status in said:
                async with edge.transaction() as tx:
                    await answers.note_report(tx, order.id, _document(order.id, status or ""))


def _is_there(order: Payout) -> bool:
    return order.state in {State.SENT, State.ACCEPTED, State.UNKNOWN}


def _document(payout_id: UUID, status: str) -> str:
    reason = "<StsRsnInf><Rsn><Cd>AC04</Cd></Rsn></StsRsnInf>" if status == "RJCT" else ""
    return _REPORT.format(msg_id=payout_id.hex, status=status, reason=reason)
