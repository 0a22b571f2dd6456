"""How things look on the terminal. Decides nothing."""

import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from local import layout, report, watch

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
