"""The wallet's HTTP API: translates requests into use cases, and what they find into views."""

from shared.http import Router
from wallet.api import charges, mrp, payees, payouts, programs, replays, runs, traces, wallets

router = Router()
for part in (charges, mrp, payees, payouts, programs, replays, runs, traces, wallets):
    router.include_router(part.router)
