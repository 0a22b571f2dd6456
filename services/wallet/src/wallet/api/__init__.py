"""The wallet's HTTP API: translates requests into use cases, and what they find into views."""

from shared.http import Router
from wallet.api import payees, payouts, programs, runs, traces, wallets

router = Router()
for part in (payees.router, payouts.router, programs.router, runs.router, traces.router, wallets.router):
    router.include_router(part)
