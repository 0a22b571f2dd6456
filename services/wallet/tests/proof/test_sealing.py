"""What is posted is sealed once, in a log that only grows, and its heads are published once each."""

import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.database import new_id
from shared.edge import Edge
from shared.settled import Settled
from wallet.domain.proof import checkpoints
from wallet.domain.proof.checkpoints import Checkpoint, open_checkpoint
from wallet.domain.proof.merkle import EMPTY_ROOT
from wallet.domain.proof.unproven import UnprovenError
from wallet.publishing import Folder, Sealer
from wallet.testing import LOG, Deliver, World, asked, seal
from wallet.usecases import sealing
from wallet.usecases.funds import deposit
from wallet.usecases.sealing import Log, RewrittenError, seal_batches

NOTHING = Checkpoint(LOG.name, 0, EMPTY_ROOT)


async def in_order(edge: Edge) -> list[int]:
    """The batches of the log, leaf by leaf."""
    async with edge.look() as tx:
        rows = await (await tx.driver()).fetch("SELECT place, batch_id FROM log_entries ORDER BY place")
    assert [row["place"] for row in rows] == list(range(len(rows)))
    return [row["batch_id"] for row in rows]


async def posted(edge: Edge) -> list[int]:
    async with edge.look() as tx:
        return [row["id"] for row in await (await tx.driver()).fetch("SELECT id FROM batches ORDER BY id")]


async def heads(edge: Edge) -> list[Checkpoint]:
    async with edge.look() as tx:
        rows = await (await tx.driver()).fetch("SELECT note FROM checkpoints ORDER BY size")
    return [open_checkpoint(row["note"], LOG.verifier_keys[0]) for row in rows]


def sealer(edge: Edge, folder: Path | None, log: Log = LOG) -> Sealer:
    return Sealer(edge, log, Folder(folder) if folder else None, Settled("batches"))


def sizes(folder: Path) -> list[int]:
    """Of the heads that lie there."""
    notes = [path.read_text() for path in Folder(folder).paths()]
    return [open_checkpoint(note, LOG.verifier_keys[0]).size for note in notes]


async def test_whatever_is_posted_is_sealed_once(edge: Edge, world: World, deliver: Deliver) -> None:
    await world.pay_in(world.on_hold, 10_000_000)
    await seal(edge)
    child_id = new_id()
    await deliver(world.entitled(child_id))
    await deliver(asked(child_id, new_id()), asked(child_id, new_id()))
    for _ in range(2):
        await seal(edge)
        assert await in_order(edge) == await posted(edge)
        assert [head.size for head in await heads(edge)] == [1, 2]


async def test_a_batch_that_commits_late_is_not_passed_over(edge: Edge, world: World) -> None:
    settled = Settled("batches")

    async def seal_more() -> None:
        async with edge.transaction() as tx:
            await seal_batches(tx, LOG, settled, NOTHING)

    async with edge.transaction() as late:
        await deposit(late, world.people[0], world.ahead, 5, str(new_id()))
        for _ in range(3):
            await world.pay_in(world.on_hold, 7)
            await seal_more()
        first = min(await posted(edge))
        assert settled.up_to < first
    for _ in range(2):
        await seal_more()
    ids = await posted(edge)
    assert await in_order(edge) == [*ids[1:], ids[0]]
    assert settled.up_to == ids[-1]


async def test_a_round_has_its_bound_and_the_next_goes_on(
    edge: Edge, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealing, "LEAVES_MAX", 4)
    for _ in range(5):
        await world.pay_in(world.on_hold, 7)
    settled = Settled("batches")
    for size, more in ((2, True), (4, True), (5, False), (5, False)):
        async with edge.transaction() as tx:
            assert await seal_batches(tx, LOG, settled, NOTHING) is more
        assert len(await in_order(edge)) == size
    async with edge.look() as tx:
        floors = await (await tx.driver()).fetch("SELECT settled_up_to FROM checkpoints ORDER BY size")
    ids = await posted(edge)
    assert [row["settled_up_to"] for row in floors] == [ids[1], ids[3], ids[4]]


async def test_a_batch_larger_than_the_bound_is_sealed_alone(
    edge: Edge, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealing, "LEAVES_MAX", 1)
    for _ in range(2):
        await world.pay_in(world.on_hold, 7)
    await seal(edge)
    assert [head.size for head in await heads(edge)] == [1, 2]


async def test_while_one_seals_the_other_leaves_it(edge: Edge, world: World) -> None:
    await world.pay_in(world.on_hold, 7)
    async with edge.transaction() as one, edge.transaction() as other:
        assert await seal_batches(one, LOG, Settled("batches"), NOTHING) is False
        assert await seal_batches(other, LOG, Settled("batches"), NOTHING) is False
    assert len(await in_order(edge)) == 1


async def test_each_head_is_published_once_also_after_a_stop(
    edge: Edge, world: World, tmp_path: Path
) -> None:
    for _ in range(2):
        await world.pay_in(world.on_hold, 7)
        await seal(edge)  # and here it stopped, before it published anything
    assert sizes(tmp_path) == []
    one = sealer(edge, tmp_path)
    await one.once()
    assert sizes(tmp_path) == [1, 2]
    await world.pay_in(world.on_hold, 7)
    await one.once()
    await one.once()
    await sealer(edge, tmp_path).once()
    assert sizes(tmp_path) == [1, 2, 3]
    assert [head.size for head in await heads(edge)] == [1, 2, 3]


async def test_without_a_folder_it_is_sealed_all_the_same(edge: Edge, world: World) -> None:
    await world.pay_in(world.on_hold, 7)
    await sealer(edge, None).once()
    assert len(await in_order(edge)) == 1


async def test_a_log_that_is_shorter_than_what_was_published_is_left_alone(
    edge: Edge, world: World, tmp_path: Path
) -> None:
    await world.pay_in(world.on_hold, 7)
    await sealer(edge, tmp_path).once()
    (head,) = await heads(edge)
    longer = Checkpoint(LOG.name, 9, head.root)
    Folder(tmp_path).add(9, checkpoints.sign(longer, *LOG.keys))
    await world.pay_in(world.on_hold, 7)
    with pytest.raises(RewrittenError, match="9 batches were published, and here are 1"):
        await sealer(edge, tmp_path).once()
    assert len(await in_order(edge)) == 1


async def test_a_log_that_is_not_what_was_published_is_left_alone(
    edge: Edge, world: World, tmp_path: Path
) -> None:
    Folder(tmp_path).add(1, checkpoints.sign(Checkpoint(LOG.name, 1, bytes(32)), *LOG.keys))
    for _ in range(2):
        await world.pay_in(world.on_hold, 7)
        await seal(edge)
    await world.pay_in(world.on_hold, 7)
    with pytest.raises(RewrittenError, match="other batches were published up to 1"):
        await sealer(edge, tmp_path).once()
    assert len(await in_order(edge)) == 2


async def test_a_folder_of_another_log_is_not_gone_on_with(edge: Edge, world: World, tmp_path: Path) -> None:
    other = Log(LOG.name, (Ed25519PrivateKey.from_private_bytes(bytes([1] * 32)),))
    Folder(tmp_path).add(1, checkpoints.sign(Checkpoint(other.name, 1, bytes(32)), *other.keys))
    await world.pay_in(world.on_hold, 7)
    with pytest.raises(UnprovenError):
        await sealer(edge, tmp_path).once()
    assert await in_order(edge) == []


async def test_a_new_key_goes_on_where_the_old_one_signed(edge: Edge, world: World, tmp_path: Path) -> None:
    new = Ed25519PrivateKey.from_private_bytes(bytes([1] * 32))
    for log in (LOG, Log(LOG.name, (*LOG.keys, new)), Log(LOG.name, (new,))):
        await world.pay_in(world.on_hold, 7)
        await sealer(edge, tmp_path, log).once()
    assert [path.name for path in Folder(tmp_path).paths()] == ["001", "002", "003"]


def test_a_head_is_never_published_over_another(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    for _ in range(2):
        folder.add(1_234_067, "one\n")
    with pytest.raises(RewrittenError):
        folder.add(1_234_067, "another\n")
    left_over = tmp_path / "000" / "000" / "000" / f"999.{os.getpid()}"
    left_over.parent.mkdir(parents=True)
    left_over.write_text("bef")
    left_over.chmod(0o444)
    folder.add(999, "before\n")
    assert (tmp_path / "000" / "001" / "234" / "067").read_text() == "one\n"
    assert folder.last() == "one\n"
    assert [path.read_text() for path in folder.paths()] == ["before\n", "one\n"]
    assert not left_over.exists()
    assert not (tmp_path / "000" / "001" / "234" / "067").stat().st_mode & 0o222
