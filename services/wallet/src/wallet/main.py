"""The service `wallet`, put together."""

from shared.service import Service
from wallet import api, consumers, tables
from wallet.repository.audits import AUDITS
from wallet.usecases.funds import FUND, republish_funds
from wallet.usecases.programs import PROGRAM, republish_programs
from wallet.usecases.runs import fund_children

service = Service(
    name="wallet",
    api=api.router,
    events=consumers.router,
    metadata=tables.metadata,
    approvals=(PROGRAM, FUND),
    republish={"program": republish_programs, "fund": republish_funds},
    audit=AUDITS,
    jobs=(fund_children,),
)
