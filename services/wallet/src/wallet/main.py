"""The service `wallet`, put together."""

from shared.service import Service
from wallet import consumers, jobs, tables
from wallet.bank import ask_bank, read_statements, submit_payouts
from wallet.publishing import seal_ledger
from wallet.repository.audits import AUDITS
from wallet.settings import WalletSettings
from wallet.usecases.approved import CORRECTION, REPAYMENT, RETURN
from wallet.usecases.expiring import expire_allotments
from wallet.usecases.funds import FUND, republish_funds
from wallet.usecases.ledger.months import MONTH_LOCK
from wallet.usecases.mrp import MRP
from wallet.usecases.payees import PAYEE
from wallet.usecases.payouts import PAYOUT_RUN, give_up_runs
from wallet.usecases.programs import PROGRAM, republish_programs
from wallet.usecases.rules import RULES
from wallet.usecases.runs import fund_children

service = Service(
    name="wallet",
    events=consumers.router,
    metadata=tables.metadata,
    approvals=(PROGRAM, RULES, MRP, FUND, PAYEE, PAYOUT_RUN, RETURN, REPAYMENT, CORRECTION, MONTH_LOCK),
    republish={"program": republish_programs, "fund": republish_funds},
    audit=AUDITS,
    jobs=(
        fund_children,
        expire_allotments,
        give_up_runs,
        submit_payouts,
        ask_bank,
        read_statements,
        seal_ledger,
        jobs.show_money,
    ),
    settings=WalletSettings,
)
