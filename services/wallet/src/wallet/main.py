"""The wallet as a service: its edges, its tables, and what operators can ask of it."""

from shared.consumer import EventRouter
from shared.http import Router
from shared.service import Service
from wallet import tables
from wallet.repository.audits import AUDITS

service = Service(
    name="wallet",
    api=Router(),
    events=EventRouter(),
    metadata=tables.metadata,
    audit=AUDITS,
)
