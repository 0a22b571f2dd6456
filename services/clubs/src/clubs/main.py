"""The service `clubs`, put together."""

from clubs import consumers, tables
from clubs.repository.audit import AUDIT
from clubs.usecases import groups, providers
from clubs.usecases.corrections import CORRECTION
from shared.service import Service

service = Service(
    name="clubs",
    events=consumers.router,
    metadata=tables.metadata,
    approvals=(CORRECTION,),
    republish={
        "provider": providers.republish_providers,
        "staff": providers.republish_staff,
        "group": groups.republish_groups,
        "group_month": groups.republish_group_months,
    },
    audit=AUDIT,
)
