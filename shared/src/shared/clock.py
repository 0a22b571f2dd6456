"""Business time: the database's clock, shifted in development; and the civil calendar of Kazakhstan.

Plumbing (inbox, retries, leases, tokens) uses the real clock, never this one.
"""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

CIVIL = ZoneInfo("Asia/Almaty")

_REAL = text("SELECT clock_timestamp()")
_SHIFTED = text("SELECT clock_timestamp() + (SELECT shift FROM development.clock)")


async def now(connection: AsyncConnection, *, development: bool) -> datetime:
    """The business time in UTC. Only development has the table that `social-wallet clock` moves."""
    moment: datetime = (await connection.execute(_SHIFTED if development else _REAL)).scalar_one()
    return moment


def civil_date(moment: datetime) -> date:
    """The civil day on which this moment falls."""
    return moment.astimezone(CIVIL).date()


def civil_moment(day: date, at: time = time()) -> datetime:
    """The moment, in UTC, of a civil day and time."""
    return datetime.combine(day, at, CIVIL).astimezone(UTC)


def month_of(day: date) -> str:
    """The civil month of a day, YYYY-MM."""
    return f"{day:%Y-%m}"


def first_day(month: str) -> date:
    """The first day of a civil month."""
    return date.fromisoformat(f"{month}-01")


def next_month(month: str) -> str:
    """The civil month after this one."""
    return month_of(first_day(month) + timedelta(days=31))
