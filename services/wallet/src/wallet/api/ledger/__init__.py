"""The ledger as history, for those who audit it."""

from shared.http import Router
from wallet.api.ledger import balances, controls, exports, months, postings

router = Router()
for part in (balances, controls, exports, months, postings):
    router.include_router(part.router)
