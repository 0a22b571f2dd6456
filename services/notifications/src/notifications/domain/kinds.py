"""What people can be told of, and which topic of their preferences each kind belongs to."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal

Topic = Literal["children", "seats", "enrollments", "money", "attendance"]
TOPICS: tuple[Topic, ...] = ("children", "seats", "enrollments", "money", "attendance")


class Kind(StrEnum):
    """What happened, as people would say it; each has its texts, `message.<kind>.title` and `.body`.

    `club_…` and `payout_…` are for directors of a provider, the others for guardians of a child.
    """

    LINK_VERIFIED = "link_verified"
    SEAT_QUEUED = "seat_queued"
    SEAT_NEXT = "seat_next"
    SEAT_OFFERED = "seat_offered"
    REJECTED = "rejected"
    REJECTED_SHORT = "rejected_short"
    CONFIRMED = "confirmed"
    CANCELED = "canceled"
    ENDED = "ended"
    MONTH_UNFUNDED = "month_unfunded"
    MONTH_FUNDED = "month_funded"
    MONTH_CHARGED = "month_charged"
    MONTH_FREE = "month_free"
    """Charged, and no lesson counts."""
    MONTH_UNPAID = "month_unpaid"
    """Charged, and no money had been held for it."""
    MONTH_RECHARGED = "month_recharged"
    PAYMENT_STOPPED = "payment_stopped"
    PAYMENT_RESUMED = "payment_resumed"
    CLAIM_OPENED = "claim_opened"
    DISPUTE_OPENED = "dispute_opened"
    DISPUTE_WITHDRAWN = "dispute_withdrawn"
    DISPUTE_COUNTS = "dispute_counts"
    DISPUTE_DOES_NOT_COUNT = "dispute_does_not_count"
    CLUB_DISPUTE_OPENED = "club_dispute_opened"
    CLUB_DISPUTE_WITHDRAWN = "club_dispute_withdrawn"
    CLUB_DISPUTE_COUNTS = "club_dispute_counts"
    CLUB_DISPUTE_DOES_NOT_COUNT = "club_dispute_does_not_count"
    PAYOUT_SENT = "payout_sent"
    PAYOUT_SETTLED = "payout_settled"
    PAYOUT_BOUNCED = "payout_bounced"


TOPIC_OF: Mapping[Kind, Topic] = {
    Kind.LINK_VERIFIED: "children",
    Kind.SEAT_QUEUED: "seats",
    Kind.SEAT_NEXT: "seats",
    Kind.SEAT_OFFERED: "seats",
    Kind.REJECTED: "enrollments",
    Kind.REJECTED_SHORT: "enrollments",
    Kind.CONFIRMED: "enrollments",
    Kind.CANCELED: "enrollments",
    Kind.ENDED: "enrollments",
    Kind.MONTH_UNFUNDED: "money",
    Kind.MONTH_FUNDED: "money",
    Kind.MONTH_CHARGED: "attendance",
    Kind.MONTH_FREE: "attendance",
    Kind.MONTH_UNPAID: "attendance",
    Kind.MONTH_RECHARGED: "attendance",
    Kind.PAYMENT_STOPPED: "attendance",
    Kind.PAYMENT_RESUMED: "attendance",
    Kind.CLAIM_OPENED: "attendance",
    Kind.DISPUTE_OPENED: "attendance",
    Kind.DISPUTE_WITHDRAWN: "attendance",
    Kind.DISPUTE_COUNTS: "attendance",
    Kind.DISPUTE_DOES_NOT_COUNT: "attendance",
    Kind.CLUB_DISPUTE_OPENED: "attendance",
    Kind.CLUB_DISPUTE_WITHDRAWN: "attendance",
    Kind.CLUB_DISPUTE_COUNTS: "attendance",
    Kind.CLUB_DISPUTE_DOES_NOT_COUNT: "attendance",
    Kind.PAYOUT_SENT: "money",
    Kind.PAYOUT_SETTLED: "money",
    Kind.PAYOUT_BOUNCED: "money",
}

REJECTIONS = frozenset({Kind.REJECTED, Kind.REJECTED_SHORT})
OVER = REJECTIONS | {Kind.CANCELED, Kind.ENDED}
BESIDE = frozenset(kind for kind in Kind if TOPIC_OF[kind] == "attendance")
"""Told whatever else was told of the enrollment: what it is about stays so after the enrollment has ended."""
