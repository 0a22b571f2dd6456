"""The command line of a service: `python -m <service> migrate | api | worker | parked | …`."""

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import orjson
import typer
import uvloop

from shared import dropping, kafka, parked, telemetry, worker
from shared.checks import run_checks
from shared.database import Transaction, open_engine
from shared.http.server import make_server
from shared.logging import configure_logging
from shared.service import Service, open_edge
from shared.settings import Settings

WORKER_NICENESS = 10

Result = TypeVar("Result")
Start = Callable[[str], Settings]
"""Begin as this process: logging first, then the settings."""


def main(service: Service) -> None:
    """Run the command that the command line names."""
    commands = typer.Typer(
        no_args_is_help=True, pretty_exceptions_enable=False, help=f"The {service.name} service."
    )
    start = partial(_start, service)
    _add_processes(commands, service, start)
    _add_questions(commands, service, start)
    commands.add_typer(_parked_commands(service, start), name="parked", help="Keys that cannot go on.")
    commands()


def _start(service: Service, process: str) -> Settings:
    configure_logging(service.name, process)
    return service.settings()


def _add_processes(commands: typer.Typer, service: Service, start: Start) -> None:
    @commands.command()
    def migrate() -> None:
        """Bring the schema and the topics to what this code expects. As the owner role."""
        settings = start("migrate")
        if settings.owner_database_url is None:
            raise typer.BadParameter("SW_OWNER_DATABASE_URL is not set")
        # Alembic takes most of a second to import, and no other command needs it.
        from shared import migrations  # noqa: PLC0415 - see above

        _run(migrations.upgrade(settings.owner_database_url, service.package))
        _run(kafka.create_topics(settings.kafka_bootstrap, service.topics))

    @commands.command()
    def api() -> None:
        """Serve the HTTP API."""
        _run(_serve(service, start("api")))

    @commands.command("worker")
    def work() -> None:
        """Carry events out and in, act on deadlines, and do the service's own jobs."""
        _give_way()
        _run(_work(service, start("worker")))


def _give_way() -> None:
    """Where the cores are shared, whoever waits for an answer comes before what is done behind it."""
    os.nice(WORKER_NICENESS)
    if os.getsid(0) == os.getpid():  # Linux may weigh sessions before processes: sched(7), autogroup
        with contextlib.suppress(OSError):
            Path("/proc/self/autogroup").write_text(f"{WORKER_NICENESS}")


def _add_questions(commands: typer.Typer, service: Service, start: Start) -> None:
    @commands.command()
    def republish(kind: str) -> None:
        """Tell every fact of this kind again, with new ids: it fills and repairs projections elsewhere."""
        if kind not in service.republish:
            raise typer.BadParameter(f"one of: {', '.join(sorted(service.republish))}")
        _run(_republish(service, start("republish"), kind))

    @commands.command()
    def audit() -> None:
        """Run the service's checks; exits 0 only if all are clean."""
        if not _run(_audit(service, start("audit"))):
            raise typer.Exit(1)

    @commands.command()
    def openapi() -> None:
        """Print the OpenAPI description."""
        app = service.app(service.settings(), None)  # type: ignore[arg-type] # not used
        typer.echo(orjson.dumps(app.openapi(), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS).decode())


def _parked_commands(service: Service, start: Start) -> typer.Typer:
    commands = typer.Typer(no_args_is_help=True)

    @commands.command("list")
    def list_() -> None:
        """All parked keys, and records set aside alone, one JSON object a line."""
        for one in _run(_in_transaction(service, start("parked"), parked.summaries)):
            typer.echo(orjson.dumps(one._asdict()).decode())

    @commands.command()
    def show(record_id: int) -> None:
        """The headers and the size of one parked record; its content stays where it is."""
        found = _run(_in_transaction(service, start("parked"), lambda tx: parked.find(tx, record_id)))
        if found is None:
            raise typer.BadParameter("no such record")
        shown = {"place": found.record.place, "headers": found.record.text_headers()}
        typer.echo(orjson.dumps(shown | {"value_bytes": len(found.record.value)}).decode())

    @commands.command()
    def retry(key: str) -> None:
        """Try a parked key now, instead of after its pause."""
        found = _run(_in_transaction(service, start("parked"), lambda tx: parked.retry_now(tx, key)))
        if not found:
            raise typer.BadParameter("no such key")

    @commands.command()
    def drop(record_id: int, reason: str, by: UUID) -> None:
        """Take a record out for good; a request is answered as refused, money takes a second person."""
        outcome = _run(
            _in_transaction(
                service,
                start("parked"),
                lambda tx: dropping.drop(tx, service.events, record_id, reason=reason, by=by),
            )
        )
        typer.echo(outcome)

    return commands


def _run(work: Coroutine[Any, Any, Result]) -> Result:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


async def _in_transaction(
    service: Service, settings: Settings, work: Callable[[Transaction], Awaitable[Result]]
) -> Result:
    async with open_edge(service, settings) as edge, edge.transaction() as tx:
        return await work(tx)


async def _serve(service: Service, settings: Settings) -> None:
    provider = telemetry.start_tracing(service.name, settings.otlp_endpoint)
    async with open_edge(service, settings) as edge:
        await make_server(service.app(settings, edge), host=settings.host, port=settings.port).serve()
    if provider:
        await asyncio.to_thread(provider.shutdown)


async def _work(service: Service, settings: Settings) -> None:
    provider = telemetry.start_tracing(service.name, settings.otlp_endpoint)
    async with open_edge(service, settings) as edge:
        await worker.run(service, settings, edge)
    if provider:
        await asyncio.to_thread(provider.shutdown)


async def _republish(service: Service, settings: Settings, kind: str) -> None:
    after: UUID | None = None
    async with open_edge(service, settings) as edge:
        while True:
            async with edge.transaction() as tx:
                after = await service.republish[kind](tx, after)
            if after is None:
                return


async def _audit(service: Service, settings: Settings) -> bool:
    """Print each check with the number of rows it found, as one snapshot; whether all found none."""
    engine = open_engine(settings.database_url, pool_size=1)
    try:
        findings = await run_checks(engine, service.audit)
    finally:
        await engine.dispose()
    for name, found in findings.items():
        typer.echo(orjson.dumps({"check": name, "found": found}).decode())
    return not any(findings.values())
