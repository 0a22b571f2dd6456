"""The worker's loop that seals the ledger, and the write-once folder where each signed head is published.

The folder is meant to be out of reach of whoever administers the database: whatever else the database may say
later, the log must continue what was published. A head is a file named by the size of its log, three digits a
level: `000/001/234/067` is that of 1,234,067 batches.
"""

import asyncio
import os
import re
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from prometheus_client import Gauge

from shared.edge import Edge
from shared.retrying import until_it_passes
from shared.settings import Settings
from shared.settled import Settled
from shared.telemetry import registry
from wallet.domain.proof.checkpoints import Checkpoint, open_checkpoint
from wallet.domain.proof.merkle import EMPTY_ROOT
from wallet.domain.proof.unproven import UnprovenError
from wallet.repository import seals
from wallet.settings import WalletSettings, own_settings
from wallet.usecases.sealing import Log, RewrittenError, oldest_waiting, seal_batches

EVERY_SECONDS = 1.0
REFUSED_SECONDS = 30.0
_NOTES_PER_ROUND = 1_000

LAG = Gauge("seal_lag_seconds", "Age of the oldest batch that is in no signed log", registry=registry)
REFUSED = Gauge("seal_refused", "1: the log does not continue what was published", registry=registry)

log = structlog.get_logger()


class Folder:
    """Signed heads, each written once. Others may read along."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def last(self) -> str | None:
        """The note of the longest log, if any was published."""
        found = next(_files(self._path, last_first=True), None)
        return found.read_text() if found else None

    def paths(self) -> Iterator[Path]:
        """All of them, the shortest log first."""
        return _files(self._path)

    def add(self, size: int, note: str) -> None:
        """Publish a head; again is the same as once.

        Raises:
            RewrittenError: another one of this size was published.
        """
        path = self._path.joinpath(*re.findall("...", f"{size:012}"))
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(f".{os.getpid()}")
        unfinished.unlink(missing_ok=True)  # of a process that died here, and had our number
        with unfinished.open("w") as file:
            file.write(note)
            file.flush()
            os.fsync(file.fileno())
        unfinished.chmod(0o444)
        try:
            os.link(unfinished, path)  # fails where one is, as a rename would not
        except FileExistsError:
            if path.read_text() != note:
                raise RewrittenError(f"another head of {size} batches was published") from None
        finally:
            unfinished.unlink()


def _files(folder: Path, *, last_first: bool = False) -> Iterator[Path]:
    """The heads below a folder by their sizes; what is unfinished, or of others, has other names."""
    for path in sorted(folder.glob("[0-9][0-9][0-9]"), reverse=last_first):
        if path.is_dir():
            yield from _files(path, last_first=last_first)
        else:
            yield path


@dataclass(slots=True)
class Sealer:
    """Seals, and publishes what is signed, round by round."""

    edge: Edge
    log: Log
    folder: Folder | None
    """Without one, others see only the last head, over the API."""
    settled: Settled
    _published: int = -1
    """All heads up to this size are in the folder; -1: nobody looked yet."""

    async def once(self) -> bool:
        """One round; whether more waits to be sealed at once.

        Raises:
            RewrittenError: the log is not what was published of it.
            UnprovenError: what was published is of another log, or signed by another key.
        """
        async with self.edge.look() as tx:
            waiting, size = await oldest_waiting(tx)
            LAG.set((tx.now - waiting.posted_at).total_seconds() if waiting else 0)
        if waiting is None and (self._published == size or not self.folder):
            return False
        note = await asyncio.to_thread(self.folder.last) if self.folder else None
        published = _opened(note, self.log) if note else Checkpoint(self.log.name, 0, EMPTY_ROOT)
        async with self.edge.transaction() as tx:
            more = await seal_batches(tx, self.log, self.settled, published)
        if self.folder:
            await self._publish(self.folder, published.size)
        return more

    async def _publish(self, folder: Folder, size: int) -> None:
        """Publish what was signed since the log had this size."""
        notes = None
        while notes is None or len(notes) == _NOTES_PER_ROUND:
            async with self.edge.look() as tx:
                notes = await seals.notes_after(await tx.driver(), size, limit=_NOTES_PER_ROUND)
            for of_size, note in notes:
                await asyncio.to_thread(folder.add, of_size, note)
                size = of_size
        self._published = size


def _opened(note: str, log: Log) -> Checkpoint:
    """A head as one of the log's own keys signed it: in the first days of a key the old one did."""
    *others, last = log.verifier_keys
    for key in others:
        try:
            return open_checkpoint(note, key)
        except UnprovenError:
            continue
    return open_checkpoint(note, last)


def open_log(settings: WalletSettings) -> Log:
    """What is signed, and by which keys."""
    seeds = (b64decode(key.get_secret_value()) for key in settings.log_keys)
    return Log(settings.log_name, tuple(map(Ed25519PrivateKey.from_private_bytes, seeds)))


async def seal_ledger(edge: Edge, settings: Settings) -> None:
    """The worker's job: whatever is posted is sealed a moment later."""
    own = own_settings(settings)
    own.require_own_log()
    folder = Folder(own.checkpoints_folder) if own.checkpoints_folder else None
    sealer = Sealer(edge, open_log(own), folder, Settled("batches"))
    while True:
        try:
            more = await until_it_passes(sealer.once)
        except (RewrittenError, UnprovenError) as error:
            log.error("seal_refused", reason=str(error))  # noqa: TRY400 - nobody needs to see where
            REFUSED.set(1)
            await asyncio.sleep(REFUSED_SECONDS)
            continue
        REFUSED.set(0)
        if not more:
            await asyncio.sleep(EVERY_SECONDS)
