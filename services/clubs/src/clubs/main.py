"""The service `clubs`, put together."""

from clubs import api, consumers, tables
from clubs.repository.audit import AUDIT
from clubs.usecases import groups, providers
from shared.service import Service

service = Service(
    name="clubs",
    api=api.router,
    events=consumers.router,
    metadata=tables.metadata,
    republish={
        "provider": providers.republish_providers,
        "staff": providers.republish_staff,
        "group": groups.republish_groups,
        "group_month": groups.republish_group_months,
    },
    audit=AUDIT,
)
