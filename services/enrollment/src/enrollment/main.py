"""Enrollment as a service: its edges, its tables, its jobs, and what operators can ask of it."""

from enrollment import consumers, tables
from enrollment.beginning import appoint_first_administrators
from enrollment.register import ask_register
from enrollment.repository.audits import AUDITS
from enrollment.settings import EnrollmentSettings
from enrollment.usecases.calendar import END_UNFUNDED
from enrollment.usecases.people import VERIFY_LINK, republish_children
from enrollment.usecases.rights import END_GRANT, GRANT, republish_entitlements, republish_grants
from shared.service import Service

service = Service(
    name="enrollment",
    events=consumers.router,
    metadata=tables.metadata,
    approvals=(VERIFY_LINK, GRANT, END_GRANT, END_UNFUNDED),
    republish={
        "child": republish_children,
        "entitlement": republish_entitlements,
        "grant": republish_grants,
    },
    audit=AUDITS,
    jobs=(appoint_first_administrators, ask_register),
    settings=EnrollmentSettings,
)
