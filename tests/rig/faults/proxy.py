"""`python -m rig.faults.proxy LISTEN TO`: a line between services and a server that can be hurt.

One process for each server, told what to do by JSON objects on stdin, each answered on stdout by what it has
done so far; it ends when stdin does. Modes: `pass`; `cut` (all connections are reset, new ones refused);
`blackhole` (all stay open, nothing moves); `forget` (as a firewall that lost its memory: on the connections
there are nothing moves any more, and only the server's keepalive finds out; new ones are good); `delay` (each
piece takes `seconds` longer). Beside the mode, the connection of a user of PostgreSQL can be cut during a
COMMIT: the client's message goes on, the answer never comes back.
"""

import asyncio
import json
import sys
from collections import deque
from dataclasses import dataclass, field
from typing import Any, cast

import uvloop

HOST = "127.0.0.1"
COMMIT = b"COMMIT;\0"
KEEPALIVE_SECONDS = 30.0
"""After so long the server ends what was forgotten, as `shared.database` asks it to."""
_USER = b"\0user\0"


@dataclass
class State:
    """What the proxy is told, and what it has done since it began."""

    target: int
    """The server's port."""
    mode: str = "pass"
    seconds: float = 0.0
    commits: dict[str, int] = field(default_factory=dict)
    """How many more COMMITs of a user are to be cut."""
    committed: bool = True
    """Cut when the server has answered, so that it is committed; or at once, so that nobody knows."""
    lines: "set[Line]" = field(default_factory=set)
    moving: asyncio.Event = field(default_factory=asyncio.Event)
    """Not in a black hole."""
    lines_cut: int = 0
    commits_cut: int = 0
    connecting: set[asyncio.Task[None]] = field(default_factory=set)


class Line:
    """One connection of a client and ours to the server."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.client = Side(self, from_client=True)
        self.server = Side(self, from_client=False)
        self.client.other, self.server.other = self.server, self.client
        self.forgotten = False
        self._user: str | None = None
        self._cut_at_answer = False

    def reset(self) -> None:
        """Cut it, as a firewall that forgot it would."""
        for side in (self.client, self.server):
            if side.transport is not None:
                side.transport.abort()
        self.state.lines.discard(self)

    def forget(self) -> None:
        """Let nothing pass any more."""
        if not self.forgotten:
            self.forgotten = True
            asyncio.get_running_loop().call_later(KEEPALIVE_SECONDS, self._give_up)

    def _give_up(self) -> None:
        if self.server.transport is not None:
            self.server.transport.abort()

    def look(self) -> None:
        """Both ends read on, or not."""
        self.client.look()
        self.server.look()

    def passes(self, data: bytes, *, from_client: bool) -> bool:
        """Whether this piece goes on; finds out who the client is, and what is a COMMIT."""
        if not from_client:
            if self._cut_at_answer:
                self._cut_commit()
                return False
            return True
        if self._user is None and (found := data.find(_USER[1:])) >= 0:
            start = found + len(_USER) - 1
            self._user = data[start : data.index(0, start)].decode()
        if data.endswith(COMMIT) and self.state.commits.get(self._user or "", 0) > 0:
            self.state.commits[self._user or ""] -= 1
            self._cut_at_answer = True
            if not self.state.committed and self.server.transport is not None:
                self.server.transport.write(data)
                asyncio.get_running_loop().call_soon(self._cut_commit)
                return False
        return True

    def _cut_commit(self) -> None:
        self.state.commits_cut += 1
        if self.client.transport is not None:
            self.client.transport.abort()
        if self.server.transport is not None:
            self.server.transport.close()  # what was written to it still arrives
        self.state.lines.discard(self)


class Side(asyncio.Protocol):
    """What comes from one end and goes to the other."""

    other: "Side"

    def __init__(self, line: Line, *, from_client: bool) -> None:
        self._line = line
        self._from_client = from_client
        self.transport: asyncio.Transport | None = None
        self._kept: deque[bytes] = deque()
        self._late: deque[bytes | None] = deque()
        self._full = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        if self._from_client:
            self._line.state.lines.add(self._line)
            connecting = self._line.state.connecting
            connecting.add(task := asyncio.create_task(self._connect()))
            task.add_done_callback(connecting.discard)
        self.look()

    async def _connect(self) -> None:
        state = self._line.state
        await state.moving.wait()
        try:
            await asyncio.get_running_loop().create_connection(lambda: self.other, HOST, state.target)
        except OSError:
            self._line.reset()
            return
        if self._line not in state.lines:
            self._line.reset()
        self.look()

    def _moves(self) -> bool:
        """There is somebody to give it to, who takes it, and no black hole between."""
        there = self.other.transport is not None
        moving = self._line.state.moving.is_set() and not self._line.forgotten
        return there and moving and not self._full

    def look(self) -> None:
        """Read on, or not."""
        if self._moves():
            while self._kept:
                self._take(self._kept.popleft())
        if self.transport is None or self.transport.is_closing():
            return
        if self._moves():
            self.transport.resume_reading()
        else:
            self.transport.pause_reading()

    def data_received(self, data: bytes) -> None:
        # uvloop reads on after a pause in `connection_made`.
        if self._moves():
            self._take(data)
        else:
            self._kept.append(data)

    def _take(self, data: bytes) -> None:
        if self._line.passes(data, from_client=self._from_client):
            self._go_on(data)

    def connection_lost(self, _: Exception | None) -> None:
        if not self._line.forgotten:
            self._go_on(None)
        self._line.state.lines.discard(self._line)

    def _go_on(self, data: bytes | None) -> None:
        """Give a piece, or the end, to the other side; late, if that is what is wanted."""
        seconds = self._line.state.seconds if self._line.state.mode == "delay" else 0.0
        if seconds or self._late:
            self._late.append(data)
            asyncio.get_running_loop().call_later(seconds, self._deliver)
        else:
            self._write(data)

    def _deliver(self) -> None:
        if self._late:
            self._write(self._late.popleft())

    def _write(self, data: bytes | None) -> None:
        to = self.other.transport
        if to is None or to.is_closing():
            return
        if data is None:
            to.close()
        else:
            to.write(data)

    def pause_writing(self) -> None:
        self.other.full(full=True)

    def resume_writing(self) -> None:
        self.other.full(full=False)

    def full(self, *, full: bool) -> None:
        """The other end takes no more for now, or takes again."""
        self._full = full
        self.look()


class Gate:
    """Listens, and does what it is told."""

    def __init__(self, port: int, target: int) -> None:
        self._port = port
        self._state = State(target)
        self._state.moving.set()
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Line(self._state).client, HOST, self._port)

    async def obey(self, order: dict[str, Any]) -> dict[str, int]:
        """Do what an order says; all that was cut so far."""
        state = self._state
        if "commits" in order:
            state.commits, state.committed = order["commits"], order["committed"]
        if "mode" in order:
            await self._change(order["mode"], order.get("seconds", 0.0))
        return {"lines": len(state.lines), "lines_cut": state.lines_cut, "commits_cut": state.commits_cut}

    async def _change(self, mode: str, seconds: float) -> None:
        state, before = self._state, self._state.mode
        state.mode, state.seconds = mode, seconds
        if mode == "cut" and self._server is not None:
            self._server.close()
            self._server = None
            cut = list(state.lines)
            for line in cut:
                line.reset()
            state.lines_cut += len(cut)
        elif before == "cut" and mode != "cut":
            await self.open()
        state.moving.clear() if mode == "blackhole" else state.moving.set()
        for line in list(state.lines):
            if mode == "forget":
                line.forget()
            line.look()


async def serve(port: int, target: int) -> None:
    """Until stdin ends."""
    gate = Gate(port, target)
    await gate.open()
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(orders), sys.stdin
    )
    while order := await orders.readline():
        sys.stdout.write(json.dumps(await gate.obey(json.loads(order))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(int(sys.argv[1]), int(sys.argv[2])))
