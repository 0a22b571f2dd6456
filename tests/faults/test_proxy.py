"""The proxy of the fault rig does to a line what its orders say: a fault that does not hit proves nothing."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from local.servers import free_ports
from rig.faults.world import Door, door

STARTUP = b"\0\0\0\x20\0\3\0\0user\0wallet\0database\0x\0\0"
COMMIT = b"Q\0\0\0\x0cCOMMIT;\0"


class Line:
    """A connection through the proxy to a server that repeats what it hears."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def say(self, data: bytes) -> bytes:
        """What comes back; nothing if the line is cut."""
        try:
            self._writer.write(data)
            async with asyncio.timeout(10):
                return await self._reader.read(1000)
        except ConnectionError:
            return b""

    def close(self) -> None:
        self._writer.close()


class Lines:
    """The proxy, lines through it, and what the server heard."""

    def __init__(self, proxy: Door, port: int, heard: list[bytes], stack: AsyncExitStack) -> None:
        self.door, self.heard = proxy, heard
        self._port, self._stack = port, stack

    async def open(self) -> Line:
        line = Line(*await asyncio.open_connection("127.0.0.1", self._port))
        self._stack.callback(line.close)
        return line


@asynccontextmanager
async def _lines() -> AsyncIterator[Lines]:
    heard: list[bytes] = []

    async def repeat(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            while data := await reader.read(1000):
                heard.append(data)
                writer.write(data)
        writer.close()

    port, target = free_ports(2)
    async with AsyncExitStack() as stack:
        server = await asyncio.start_server(repeat, "127.0.0.1", target)
        stack.callback(server.close)
        yield Lines(stack.enter_context(door(port, target)), port, heard, stack)


async def test_a_cut_resets_lines_and_lets_in_no_new_ones_until_it_is_mended() -> None:
    async with _lines() as lines:
        line = await lines.open()
        assert await line.say(b"before") == b"before"
        lines.door.order(mode="cut")
        assert await line.say(b"after") == b""
        with pytest.raises(ConnectionError):
            await lines.open()
        lines.door.order(mode="pass")
        assert await (await lines.open()).say(b"again") == b"again"
        assert lines.door.lines_cut == 1


async def test_nothing_comes_out_of_a_black_hole_until_it_is_mended() -> None:
    async with _lines() as lines:
        old = await lines.open()
        assert await old.say(b"before") == b"before"
        lines.door.order(mode="blackhole")
        asked = [asyncio.create_task(one.say(b"inside")) for one in (old, await lines.open())]
        done, _ = await asyncio.wait(asked, timeout=0.3)
        assert not done
        assert lines.heard == [b"before"]
        lines.door.order(mode="pass")
        assert await asyncio.gather(*asked) == [b"inside", b"inside"]


async def test_a_forgotten_line_is_silent_for_ever_and_a_new_one_is_good() -> None:
    async with _lines() as lines:
        old = await lines.open()
        assert await old.say(b"before") == b"before"
        lines.door.order(mode="forget")
        asked = asyncio.create_task(old.say(b"inside"))
        assert await (await lines.open()).say(b"new") == b"new"
        lines.door.order(mode="pass")
        done, _ = await asyncio.wait({asked}, timeout=0.3)
        assert not done
        assert lines.heard == [b"before", b"new"]
        asked.cancel()


async def test_a_slow_line_keeps_its_order() -> None:
    async with _lines() as lines:
        line = await lines.open()
        lines.door.order(mode="delay", seconds=0.1)
        began = time.monotonic()
        assert await line.say(b"slow") == b"slow"
        assert time.monotonic() - began >= 0.2
        lines.door.order(mode="pass")
        assert await line.say(b"fast") == b"fast"


@pytest.mark.parametrize("committed", [True, False])
async def test_the_answer_to_a_commit_of_one_user_never_comes_and_the_commit_arrives(
    committed: bool,  # noqa: FBT001 - pytest gives it by name
) -> None:
    async with _lines() as lines:
        lines.door.order(commits={"wallet": 1}, committed=committed)
        cut, next_ = await lines.open(), await lines.open()
        assert await cut.say(STARTUP) == STARTUP
        assert await next_.say(STARTUP) == STARTUP
        assert await cut.say(COMMIT) == b""
        assert await next_.say(COMMIT) == COMMIT
        assert lines.heard.count(COMMIT) == 2
        lines.door.order()
        assert lines.door.commits_cut == 1


async def test_commits_of_others_go_through() -> None:
    async with _lines() as lines:
        lines.door.order(commits={"clubs": 1}, committed=True)
        line = await lines.open()
        assert await line.say(STARTUP) == STARTUP
        assert await line.say(COMMIT) == COMMIT
