"""The command `social-wallet`: what a person types, translated into calls of the modules beside this one."""

import asyncio
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from rich.console import Console

from local import audit as auditing
from local import clock as business
from local import fund_run as funding
from local import layout, people, places, report, seeds, shown, story, system, verifying, walk, watch
from local import trace as tracing
from local.errors import LocalError
from shared.tls import tls

app = typer.Typer(
    no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False
)
console = Console(soft_wrap=True)
BasePort = Annotated[
    int | None, typer.Option(envvar="SW_BASE_PORT", min=1024, max=65000, help="first of about 200 ports")
]

Leave = Annotated[bool, typer.Option("--exit", help="stop everything in the end")]


def main() -> None:
    """Run a command; what cannot be done is said in one line."""
    try:
        app()
    except LocalError as error:
        sys.exit(f"social-wallet: {error}")


@app.command()
def up(base_port: BasePort = None) -> None:
    """Start everything, keeping the data, and show where to click."""
    wanted = _wanted(base_port)
    shown.progress(console, system.start(wanted))
    _plant(wanted)
    shown.addresses(console, wanted)


def _wanted(base_port: int | None) -> layout.Layout:
    known = layout.load()
    if base_port not in (None, known.base_port) and report.alive():
        raise LocalError(f"the system runs on base port {known.base_port}; social-wallet down first")
    return layout.from_environment(base_port or known.base_port)


def _plant(wanted: layout.Layout) -> None:
    """Seed a fresh database."""
    if not asyncio.run(system.planted(wanted)):
        seeds.plant(wanted, console)
        asyncio.run(system.remember_planting(wanted))


@app.command()
def down() -> None:
    """Stop everything; the data stay."""
    console.print("Stopped." if system.stop() else "Nothing was running.")


@app.command()
def reset() -> None:
    """Stop everything and forget all data of this clone."""
    system.reset()
    console.print("Stopped, and all data are gone.")


@app.command()
def status() -> None:
    """Show processes, health, what is on its way and what waits."""
    told = report.read()
    if told is None or not report.alive():
        raise LocalError("not running; social-wallet up starts it")
    shown.processes(console, told)
    figures, now = asyncio.run(_figures())
    shown.figures(console, figures)
    console.print(f"Business time: {now.astimezone(business.CIVIL):%Y-%m-%d %H:%M}")
    if told.phase != "ready":
        raise typer.Exit(1)


async def _figures() -> tuple[dict[str, watch.Figures], datetime]:
    async with watch.opened(layout.load()) as watching:
        return await watching.figures(), await watching.business_time()


@app.command()
def logs(
    name: Annotated[str, typer.Argument(help="a process, postgres or kafka; without it the list")] = "",
    *,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="go on")] = False,
    lines: Annotated[int, typer.Option("-n", min=1)] = 50,
) -> None:
    """Show the end of a process's log."""
    files = {path.stem: path for folder in (places.LOGS, places.DATA) for path in folder.glob("*.log")}
    if name not in files:
        raise LocalError(f"there are logs of: {', '.join(sorted(files)) or 'nothing yet'}")
    shown.tail(files[name], lines=lines, follow=follow)


@app.command()
def clock(
    to: Annotated[str | None, typer.Option(help="civil time, 2026-10-03T09:00")] = None,
    advance: Annotated[str | None, typer.Option(help="so much, as 3d, 12h or 30m")] = None,
) -> None:
    """Show business time, or move it forward, stopping at everything that is due on the way."""
    running = layout.load()
    now = asyncio.run(business.now(running))
    if to or advance:
        target = business.parse(to) if to else business.after(now, advance or "")
        asyncio.run(business.move(running, target))
        now = asyncio.run(business.now(running))
    console.print(f"{now.astimezone(business.CIVIL):%Y-%m-%dT%H:%M:%S}")


@app.command()
def token(login: str) -> None:
    """Print an access token of one of the seeded people or devices, for a curl line."""
    if login not in people.LOGINS + people.DEVICES:
        raise LocalError(f"nobody signs in as {login!r}; there are guardian-1 … auditor-1 … device-1")
    answer = _outside(lambda http: http.post("/token", data=people.sign_in(login)))
    typer.echo(answer["access_token"])


@app.command()
def messages(
    to: Annotated[str | None, typer.Option(help="an e-mail address or a number")] = None, limit: int = 20
) -> None:
    """Show the e-mail and SMS that were sent, the latest first."""
    asked: dict[str, str | int] = {"limit": limit} | ({"to": to} if to else {})
    shown.messages(console, _outside(lambda http: http.get("/messages", params=asked))["items"])


def _outside(ask: Callable[[httpx.Client], httpx.Response]) -> dict[str, Any]:
    address = layout.load().address("outside")
    try:
        with httpx.Client(base_url=address, trust_env=False, timeout=10, verify=tls()) as http:
            return dict(ask(http).raise_for_status().json())
    except httpx.HTTPError as error:
        raise LocalError(f"{address} does not answer ({error}); is the system up?") from error


@app.command()
def audit() -> None:
    """Run every service's own audit and compare what they say about the same things."""
    if not asyncio.run(auditing.run(layout.load(), console)):
        raise typer.Exit(1)


@app.command()
def verify(
    receipt: Annotated[Path | None, typer.Argument(help="a receipt instead of the whole ledger")] = None,
) -> None:
    """Check the sealed ledger, or a receipt, against the signed heads: as an auditor would, without us."""
    running = layout.load()
    raise typer.Exit(verifying.receipt(running, receipt) if receipt else verifying.ledger(running))


@app.command()
def trace(
    kind: tracing.Kind,
    id_: Annotated[str, typer.Argument(metavar="ID", help="in full, as other traces print it")],
    *,
    lines: Annotated[
        int, typer.Option(min=1, max=walk.LINES_MAX, help="at most so many of the longest list")
    ] = 10,
) -> None:
    """Walk the money: from a bank order back, from an enrollment forward, or from a budget line."""
    walk.show(console, asyncio.run(tracing.walk_from(layout.load(), kind, id_, lines=lines)))


@app.command("fund-run")
def fund_run(
    fund: Annotated[str, typer.Argument(help="the id of a fund of mode ahead")] = "",
    until: Annotated[str, typer.Argument(help="last day of the allotments, 2026-12-31")] = "",
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only compute what it would do")] = False,
    per_second: Annotated[int | None, typer.Option(min=1, help="children a second at most")] = None,
    pause: Annotated[str, typer.Option(metavar="RUN", help="let this run rest")] = "",
    resume: Annotated[str, typer.Option(metavar="RUN", help="let this run go on, and follow it")] = "",
) -> None:
    """Allot a fund's money to all entitled children, follow it with a bar, and show its report."""
    wanted = funding.Wanted(fund, until, dry_run, per_second, pause, resume)
    asyncio.run(shown.funding_run(console, funding.follow(layout.load(), wanted)))


@app.command()
def demo(base_port: BasePort = None, *, leave: Leave = False) -> None:
    """Play the story on a fresh database, from the first link to a clean audit and a verified ledger."""
    console.print("A fresh database: what this clone had is removed.")
    wanted = _wanted(base_port)
    system.reset()
    shown.progress(console, system.start(wanted))
    try:
        _plant(wanted)
        told = story.play(wanted, console)
        clean = asyncio.run(auditing.run(wanted, console))
        console.print("\nThe sealed ledger, as an auditor checks it, without the service:")
        sealed = verifying.ledger(wanted) == 0
    finally:
        if leave:
            system.stop()
    if not leave:
        shown.addresses(console, wanted)
    if not (told and clean and sealed):
        raise typer.Exit(1)


if __name__ == "__main__":
    main()
