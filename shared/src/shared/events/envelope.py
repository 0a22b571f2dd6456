"""What every event has in common: its class, its envelope, and the catalog of all of them.

The wire form is CloudEvents 1.0 over Kafka in binary mode: attributes are `ce_*` headers, the value is the
event as JSON. Writers refuse unknown fields, readers ignore them, so that adding one keeps the version.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated, Any, ClassVar
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter

Tiyn = Annotated[int, Field(ge=0, le=2**53 - 1, description="Money in tiyn: 1/100 of a tenge")]
Code = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$", description="A stable code, never a text")]


def _within_the_calendar(month: str) -> str:
    if not (month.isascii() and "2000-01" <= month < "2200-01"):
        raise ValueError("out of the centuries that are reckoned with")
    return month


# Two centuries: whoever reckons with a day, a moment or a month of theirs never leaves the calendar. The
# schemas do not say so: no record was ever out of them, and a narrower schema would be a new type.
Month = Annotated[
    str,
    Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])$", description="A civil month, YYYY-MM"),
    AfterValidator(_within_the_calendar),
]
Day = Annotated[date, Field(ge=date(2000, 1, 1), lt=date(2200, 1, 1))]
Instant = Annotated[
    AwareDatetime, Field(ge=datetime(2000, 1, 1, tzinfo=UTC), lt=datetime(2200, 1, 1, tzinfo=UTC))
]
_INSTANT = TypeAdapter[datetime](Instant)


class Part(BaseModel):
    """A piece of an event's content."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Event(Part):
    """A fact in its owner's words. Subclasses name the wire `type`, the `topic` and the partition `key`."""

    type: ClassVar[str]
    topic: ClassVar[str]
    full_state: ClassVar[bool] = False
    """Carries the whole state and a version: applied if not older, and never waits behind a parked key."""
    about_money: ClassVar[bool] = False
    """Dropping one takes two persons."""

    @property
    def key(self) -> str:
        """What the order of events is kept for: the child, or else the thing itself."""
        raise NotImplementedError

    @property
    def subject(self) -> str:
        """Whom or what it is about; for a request, what identifies it (enrollment/month/attempt)."""
        return self.key

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:  # noqa: ANN401 - pydantic's own signature
        if "type" in cls.__dict__:
            catalog[cls.type] = cls


catalog: dict[str, type[Event]] = {}
"""Every event of the published language by its wire type."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """An event on its way, with what the headers say of it."""

    id: UUID
    type: str
    source: str
    subject: str
    time: datetime
    topic: str
    key: str
    correlation_id: UUID
    causation_id: UUID | None
    traceparent: str | None
    event: Event


def to_headers(
    event: Event,
    *,
    id_: UUID,
    time: datetime,
    correlation_id: UUID,
    causation_id: UUID | None,
    traceparent: str | None,
) -> dict[str, str]:
    """The Kafka headers of an event: CloudEvents attributes in binary mode, and the trace of the hop."""
    headers = {
        "ce_specversion": "1.0",
        "ce_id": str(id_),
        "ce_source": f"/{event.type.partition('.')[0]}",
        "ce_type": event.type,
        "ce_subject": event.subject,
        "ce_time": time.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "ce_partitionkey": event.key,
        "ce_correlationid": str(correlation_id),
        "content-type": "application/json",
    }
    if causation_id is not None:
        headers["ce_causationid"] = str(causation_id)
    if traceparent is not None:
        headers["traceparent"] = traceparent
    return headers


def to_envelope(headers: Mapping[str, str], *, topic: str, key: str, value: bytes) -> Envelope:
    """Read one record of a known type. A defect is a ValueError (as pydantic raises)."""
    event = catalog[headers["ce_type"]].model_validate_json(value, extra="ignore")
    if event.key != key:
        raise ValueError("the record's key is not the event's")
    try:
        causation_id = headers.get("ce_causationid")
        return Envelope(
            id=UUID(headers["ce_id"]),
            type=headers["ce_type"],
            source=headers["ce_source"],
            subject=headers["ce_subject"],
            time=_INSTANT.validate_python(headers["ce_time"]),
            topic=topic,
            key=key,
            correlation_id=UUID(headers["ce_correlationid"]),
            causation_id=UUID(causation_id) if causation_id else None,
            traceparent=headers.get("traceparent"),
            event=event,
        )
    except KeyError as missing:
        raise ValueError(f"header {missing} is missing") from None
