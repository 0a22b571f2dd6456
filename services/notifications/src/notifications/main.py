"""The service `notifications`, put together."""

from notifications import consumers, jobs, tables
from notifications.audit import AUDIT
from notifications.settings import NotificationSettings
from shared.service import Service

service = Service(
    name="notifications",
    events=consumers.router,
    metadata=tables.metadata,
    audit=AUDIT,
    jobs=(jobs.send_copies,),
    settings=NotificationSettings,
)
