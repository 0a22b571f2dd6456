"""The worker of a service: relay, intake, replay, deadlines, and the service's own jobs, in one process.

It is crash-only: what fails for good ends the process, and whoever supervises it starts it again. A watchdog
ends it too when the loop is blocked or Kafka no longer answers: a process that exits is safe, one that hangs
is not.
"""

import asyncio
import contextlib
import functools
import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from typing import Any, Protocol

import structlog
import uvicorn
from prometheus_client import Gauge
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from shared import idempotency, inbox, telemetry
from shared.checks import show_findings
from shared.consumer import EventRouter
from shared.edge import Edge
from shared.intake import Intake
from shared.relay import Relay
from shared.replay import Replay
from shared.retrying import is_passing, until_it_passes
from shared.settings import Settings
from shared.telemetry import registry
from shared.timekeeper import Timekeeper

LOOP_BLOCKED_SECONDS_MAX = 30.0
"""A worker gives way: where others have both cores, a second of work may take it ten."""
LOG_SILENT_SECONDS_MAX = 120.0
FINISH_SECONDS_MAX = 20.0
PRUNE_SECONDS = 60.0
PROBE_SECONDS_MAX = 5.0
EXIT_WATCHDOG = 70

Job = Callable[[Edge, Settings], Awaitable[None]]
"""An endless loop of a service's own, such as asking the register; outbound calls belong there."""

Probe = Callable[[Request], Awaitable[Response]]

PLACED = Gauge("consumer_placed", "Whether partitions are read, from known positions", registry=registry)

log = structlog.get_logger()


class Worked(Protocol):
    """What the worker needs to know of a service; `shared.service.Service` is one."""

    @property
    def name(self) -> str: ...
    @property
    def events(self) -> EventRouter: ...
    @property
    def jobs(self) -> tuple[Job, ...]: ...
    @property
    def audit(self) -> Mapping[str, str]: ...


async def run(service: Worked, settings: Settings, edge: Edge) -> None:
    """Work until SIGTERM or SIGINT; the chunk at hand is finished. Raises what did not heal."""
    gc.freeze()  # the code that was loaded stays: looking for garbage in it took a fifth of a batch's time
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    intake = Intake(edge, service.events, group=service.name, kafka_bootstrap=settings.kafka_bootstrap)
    relay = Relay(settings.database_url, settings.kafka_bootstrap, edge.doorbell)
    endless: list[Coroutine[Any, Any, None]] = [
        edge.doorbell.run(),
        relay.run(),
        Replay(edge, service.events).run(),
        Timekeeper(edge, service.events).run(),
        _prune(edge),
        show_findings(edge, service.audit),
        _answer(service, settings, edge, intake),
        *(_run(job, edge, settings) for job in service.jobs),
    ]
    with _watchdog(intake) as beat:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one) for one in [*endless, beat]]
            taking_in = group.create_task(intake.run(stopping))
            await stopping.wait()
            log.info("worker_stops")
            await asyncio.wait({taking_in}, timeout=FINISH_SECONDS_MAX)
            for task in [*tasks, taking_in]:
                task.cancel()


async def _run(job: Job, edge: Edge, settings: Settings) -> None:
    await job(edge, settings)


async def _prune(edge: Edge) -> None:
    async def once() -> None:
        async with edge.transaction() as tx:
            await inbox.prune(tx)
            await idempotency.forget_old(tx)

    while True:
        await until_it_passes(once)
        await asyncio.sleep(PRUNE_SECONDS)


@contextlib.contextmanager
def _watchdog(intake: Intake) -> Iterator[Coroutine[Any, Any, None]]:
    """Yield a coroutine that says the loop is alive, while a thread makes sure that it does."""
    beaten = time.monotonic()
    over = threading.Event()

    async def beat() -> None:
        nonlocal beaten
        while True:
            beaten = time.monotonic()
            await asyncio.sleep(1)

    def watch() -> None:
        while not over.wait(1):
            now = time.monotonic()
            blocked, silent = now - beaten, now - intake.last_read
            if blocked > LOOP_BLOCKED_SECONDS_MAX or silent > LOG_SILENT_SECONDS_MAX:
                log.critical("watchdog_ends_worker", loop_blocked_seconds=blocked, log_silent_seconds=silent)
                sys.stdout.flush()
                os._exit(EXIT_WATCHDOG)

    threading.Thread(target=watch, daemon=True, name="watchdog").start()
    try:
        yield beat()
    finally:
        over.set()


class _Server(uvicorn.Server):
    """Leaves signals to the worker."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def probes(service: str, edge: Edge, intake: Intake) -> Starlette:
    """`/livez`, `/readyz` and `/metrics`. Without the database the last two say so, and soon."""

    async def live(_: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def ready(_: Request) -> Response:
        async with edge.transaction():
            pass
        if not intake.placed:
            return JSONResponse({"status": "no_partitions"}, 503)
        return JSONResponse({"status": "ready"})

    async def metrics(_: Request) -> Response:
        PLACED.set(intake.placed)
        async with edge.transaction() as tx:
            await telemetry.measure(tx, service)
        return PlainTextResponse(telemetry.render_metrics())

    return Starlette(
        routes=[
            Route("/livez", live),
            Route("/readyz", _unless_away(ready)),
            Route("/metrics", _unless_away(metrics)),
        ]
    )


def _unless_away(answer: Probe) -> Probe:
    @functools.wraps(answer)
    async def answer_soon(request: Request) -> Response:
        try:
            async with asyncio.timeout(PROBE_SECONDS_MAX):
                return await answer(request)
        except Exception as error:
            if not is_passing(error):
                raise
            return JSONResponse({"status": "no_database"}, 503)

    return answer_soon


async def _answer(service: Worked, settings: Settings, edge: Edge, intake: Intake) -> None:
    """Answer whoever runs the worker, at a port of its own."""
    if settings.metrics_port is None:
        return
    config = uvicorn.Config(
        probes(service.name, edge, intake),
        host=settings.host,
        port=settings.metrics_port,
        log_config=None,
        access_log=False,
        lifespan="off",
    )
    await _Server(config).serve()
