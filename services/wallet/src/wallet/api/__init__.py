"""The wallet's HTTP API: translates requests into use cases, and what they find into views."""

from shared.http import Router
from wallet.api import (
    approved,
    charges,
    ledger,
    log,
    mrp,
    payees,
    payouts,
    programs,
    receipts,
    replays,
    runs,
    traces,
    wallets,
)

PARTS = (
    *(approved, charges, ledger, log, mrp, payees, payouts),
    *(programs, receipts, replays, runs, traces, wallets),
)

router = Router(public=True)  # each part says whether one has to be signed in
for part in PARTS:
    router.include_router(part.router)
