"""How things look on the terminal. Decides nothing."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from local import layout, report, watch
from local.story.stage import tenge

_PHASES = {
    "downloads": "Kafka's jars",
    "servers": "PostgreSQL and Kafka",
    "migrations": "Migrations",
    "processes": "Processes",
}

_WORTH_ASKING = (
    ("enrollment", "/v1/me"),
    ("enrollment", "/v1/children"),
    ("clubs", "/v1/groups"),
    ("notifications", "/v1/inbox"),
)


def progress(console: Console, told: Iterable[report.Report]) -> None:
    """A bar for each phase of starting."""
    columns = (TextColumn("{task.description:22}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bars:
        tasks: dict[str, Any] = {}
        for one in told:
            for phase in set(tasks) - {one.phase}:
                bars.update(tasks[phase], completed=bars.tasks[tasks[phase]].total)
            if one.phase in _PHASES and one.total:
                if one.phase not in tasks:
                    tasks[one.phase] = bars.add_task(_PHASES[one.phase], total=one.total)
                bars.update(tasks[one.phase], completed=one.done, total=one.total)


async def funding_run(console: Console, followed: AsyncIterator[dict[str, Any]]) -> None:
    """A bar of the children who were reached, then the report."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    run: dict[str, Any] = {}
    try:
        with Progress(*columns, TextColumn("{task.fields[money]}"), console=console) as bars:
            task = bars.add_task("Funding run", total=None, money="")
            async for run in followed:
                money = tenge(run["allotted_tiyn"]) + (f", {run['rate']:.0f}/s" if run["rate"] else "")
                bars.update(task, completed=run["reached"], total=run["children"], money=money)
    except (KeyboardInterrupt, asyncio.CancelledError):
        console.print("The run goes on without you.", highlight=False)
    if run:
        _funding_report(console, run)


def _funding_report(console: Console, run: dict[str, Any]) -> None:
    table = Table(show_header=False, box=None)
    table.add_row("run", f"{run['id']}{', dry' if run['dry_run'] else ''}, {run['state']}")
    table.add_row("children", f"{run['reached']} of {run['children'] or 'not yet counted'}")
    table.add_row("funded", f"{run['funded']}, {tenge(run['allotted_tiyn'])} until {run['until']}")
    for reason in run["left_out"]:
        table.add_row("left out", f"{reason['children']}: {reason['text']} ({reason['code']})")
    if run["missing_tiyn"]:
        table.add_row("missing in the fund", tenge(run["missing_tiyn"]))
    console.print(table)
    if run["state"] != "done":
        console.print(f"Let it go on: .venv/bin/social-wallet fund-run --resume {run['id']}", highlight=False)


def addresses(console: Console, system: layout.Layout) -> None:
    """Where to click, and what to type next."""
    table = Table(show_header=False, box=None)
    for service in layout.SERVICES:
        table.add_row(service, f"{system.address(service)}/docs")
    table.add_row("mail and SMS", f"{system.address('outside')}/messages")
    console.print(table)
    console.print("\nAsk as one of the seeded people:", highlight=False)
    header = '-H "Authorization: Bearer $(.venv/bin/social-wallet token guardian-2)"'
    for service, path in _WORTH_ASKING:
        console.print(f"  curl {header} {system.address(service)}{path}", highlight=False, markup=False)
    console.print("Stop: .venv/bin/social-wallet down", highlight=False)


def processes(console: Console, told: report.Report) -> None:
    table = Table("process", "pid", "health", "starts", "last exit", box=None)
    for name, one in told.processes.items():
        health = "[green]ready[/]" if one.ready else "[red]not ready[/]"
        exited = "" if one.last_exit is None else str(one.last_exit)
        table.add_row(name, str(one.pid or "–"), health, str(one.starts), exited)
    console.print(table)


def figures(console: Console, found: dict[str, watch.Figures]) -> None:
    table = Table("service", "outbox", "oldest", "lag", "parked", "due", box=None)
    for service, one in found.items():
        oldest = f"{one.outbox_age:.1f} s" if one.outbox_age is not None else "–"
        table.add_row(service, str(one.outbox), oldest, str(one.lag), str(one.parked), str(one.due))
    console.print(table)


def messages(console: Console, items: Iterable[dict[str, Any]]) -> None:
    for item in items:
        repeats = f" (came {item['times']} times)" if item["times"] > 1 else ""
        console.print(f"[bold]{item['channel']}[/] to {item['recipient']}{repeats}  {item['subject']}")
        console.print(item["body"].strip(), markup=False, highlight=False)


def tail(path: Path, *, lines: int, follow: bool) -> None:
    """Hand over to `tail` of the coreutils."""
    options = ["-n", str(lines), *(["-f"] if follow else [])]
    subprocess.run(["tail", *options, str(path)], check=False)  # noqa: S603, S607 - a file of ours
