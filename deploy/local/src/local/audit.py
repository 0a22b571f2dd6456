"""Whether the books are right: each service's own audit, and what the services say about the same things.

A service's checks are its own (`python -m wallet audit`). Compared here are only ids, states and months, by
the auditor, in one snapshot. While events are on their way, what is younger than a minute is left out.
"""

import subprocess
from datetime import timedelta

import asyncpg
import orjson
from rich.console import Console

from local import layout, watch
from local.errors import LocalError

ON_THE_WAY = timedelta(minutes=1)
_SETTLE_SECONDS = 10

COMPARISONS = {
    "a confirmed enrollment has its seat": """
        SELECT 1 FROM enrollment.enrollments AS e LEFT JOIN clubs.seats AS s ON s.enrollment_id = e.id
        WHERE e.state = 'confirmed' AND e.changed_at <= clock_timestamp() - $1::interval
        AND coalesce(s.state NOT IN ('reserved', 'freed'), true)""",
    "a seat is held for a living enrollment": """
        SELECT 1 FROM clubs.seats AS s LEFT JOIN enrollment.enrollments AS e ON e.id = s.enrollment_id
        WHERE s.state IN ('reserved', 'offered', 'waiting')
        AND coalesce(e.changed_at <= clock_timestamp() - $1::interval, true)
        AND coalesce(e.state IN ('rejected', 'canceled'), true)""",
    "a funded month of a confirmed enrollment is held": """
        SELECT 1 FROM enrollment.enrollment_months AS m
        JOIN enrollment.enrollments AS e ON e.id = m.enrollment_id
        LEFT JOIN wallet.enrollment_months AS w ON w.enrollment_id = m.enrollment_id AND w.month = m.month
        WHERE m.state = 'funded' AND e.state = 'confirmed'
        AND e.changed_at <= clock_timestamp() - $1::interval AND w.state IS DISTINCT FROM 'held'""",
    "money is held for a living enrollment": """
        SELECT 1 FROM wallet.holds AS h LEFT JOIN enrollment.enrollments AS e ON e.id = h.enrollment_id
        WHERE h.open AND coalesce(e.changed_at <= clock_timestamp() - $1::interval, true)
        AND coalesce(
            e.state IN ('rejected', 'canceled') OR h.month > to_char(e.ends_on, 'YYYY-MM'), e.id IS NULL
        )""",
    "a closed month is charged by its latest sheet": """
        SELECT 1 FROM (
            SELECT DISTINCT ON (enrollment_id, month) enrollment_id, month, revision, digest, made_at
            FROM clubs.sheets ORDER BY enrollment_id, month, revision DESC
        ) AS s LEFT JOIN wallet.charges AS c USING (enrollment_id, month, revision)
        WHERE s.made_at <= clock_timestamp() + (SELECT shift FROM development.clock) - $1::interval
        AND c.digest IS DISTINCT FROM s.digest""",
    "each month has as many charges as sheets, of the same revisions": """
        SELECT month FROM (
            SELECT month, count(*) AS sheets, sum(revision) AS revisions, max(made_at) AS at FROM (
                SELECT DISTINCT ON (enrollment_id, month) month, revision, made_at
                FROM clubs.sheets ORDER BY enrollment_id, month, revision DESC
            ) AS latest GROUP BY month
        ) AS s FULL JOIN (
            SELECT month, count(*) AS charges, sum(revision) AS revisions, max(charged_at) AS at FROM (
                SELECT DISTINCT ON (enrollment_id, month) month, revision, charged_at
                FROM wallet.charges ORDER BY enrollment_id, month, revision DESC
            ) AS latest GROUP BY month
        ) AS c USING (month)
        WHERE greatest(s.at, c.at) <= clock_timestamp() + (SELECT shift FROM development.clock) - $1::interval
        AND (s.sheets, s.revisions) IS DISTINCT FROM (c.charges, c.revisions)""",
    "what was signed is known where it is paid": """
        SELECT 1 FROM clubs.statements AS s JOIN clubs.statement_lines AS l ON l.statement_id = s.id
        LEFT JOIN wallet.signed_revisions AS r
            ON r.enrollment_id = l.enrollment_id AND r.month = l.month
            AND r.revision = l.revision AND r.digest = l.digest
        WHERE s.signed_at <= clock_timestamp() + (SELECT shift FROM development.clock) - $1::interval
        AND r.statement_id IS DISTINCT FROM s.id""",
    "a charged month is over where it was asked for": """
        SELECT 1 FROM wallet.charges AS c JOIN enrollment.enrollment_months AS m USING (enrollment_id, month)
        WHERE c.charged_at <= clock_timestamp() + (SELECT shift FROM development.clock) - $1::interval
        AND m.state <> 'charged'""",
    "all speak of the same child": """
        SELECT 1 FROM enrollment.enrollments AS e LEFT JOIN clubs.seats AS s ON s.enrollment_id = e.id
        LEFT JOIN wallet.holds AS h ON h.enrollment_id = e.id
        WHERE (s.child_id <> e.child_id OR h.child_id <> e.child_id)
        AND e.changed_at <= clock_timestamp() - $1::interval""",
}


async def run(system: layout.Layout, console: Console) -> bool:
    """Print each check with the number of exceptions it found; whether there are none at all."""
    clean = True
    for service in layout.SERVICES:
        program = system.program(service, "audit")
        done = subprocess.run(  # noqa: ASYNC221, S603 - nothing else runs in this loop; the command is ours
            program.command, env=program.environment, check=False, capture_output=True, text=True
        )
        told = [orjson.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        found = {one["check"].replace("_", " "): one["found"] for one in told if "check" in one}
        clean = clean and done.returncode == 0
        if done.returncode and not any(found.values()):
            console.print(
                f"the audit of {service} did not run:\n{done.stderr}", markup=False, highlight=False
            )
        else:
            _tell(console, service, found)
    found = await compare(
        system.role_url("auditor"), leave_out=timedelta() if await _settled(system) else ON_THE_WAY
    )
    _tell(console, "between the services", found)
    return clean and not any(found.values())


def _tell(console: Console, whose: str, found: dict[str, int]) -> None:
    verdict = "[red]NOT CLEAN[/]" if any(found.values()) else "[green]clean[/]"
    console.print(f"{whose}: {len(found)} checks, {verdict}", highlight=False)
    for name, exceptions in found.items():
        style = "bold red" if exceptions else "dim"
        console.print(f"  [{style}]{exceptions:4}  {name}[/]", highlight=False)


async def _settled(system: layout.Layout) -> bool:
    async with watch.opened(system) as watching:
        try:
            await watching.until_quiet(_SETTLE_SECONDS)
        except LocalError:
            return False
    return True


async def compare(auditor_url: str, *, leave_out: timedelta) -> dict[str, int]:
    """The number of exceptions to each comparison; what changed lately is left out."""
    auditor = await asyncpg.connect(auditor_url)
    try:
        async with auditor.transaction(isolation="repeatable_read", readonly=True):
            return {name: len(await auditor.fetch(check, leave_out)) for name, check in COMPARISONS.items()}
    finally:
        await auditor.close()
