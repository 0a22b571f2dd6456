"""Where a service is in each partition: kept in its own database, moved in the transaction of the effects."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from shared.database import Transaction, plumbing
from shared.kafka import Record

Partition = tuple[str, int]
"""Topic and number."""

offsets = sa.Table(
    "consumer_offsets",
    plumbing,
    sa.Column("topic", sa.Text, primary_key=True),
    sa.Column("partition", sa.Integer, primary_key=True),
    sa.Column("log_id", sa.Text, nullable=False),
    sa.Column("next_offset", sa.BigInteger, nullable=False),
)


class MovedError(Exception):
    """Another process has moved the offsets of these partitions: what we hold of them is not ours to do."""

    def __init__(self, partitions: Collection[Partition]) -> None:
        super().__init__()
        self.partitions = partitions


@dataclass(frozen=True, slots=True)
class Chunk:
    """Records of some partitions, those of one partition in their order, without those to be skipped.

    `starts` and `ends` say per partition from which offset to which the chunk moves it.
    """

    records: Sequence[Record]
    starts: Mapping[Partition, int]
    ends: Mapping[Partition, int]

    def halves(self) -> tuple["Chunk", "Chunk"]:
        """The first and the second half of the records; where the one ends, the other starts."""
        middle = len(self.records) // 2
        first, second = self.records[:middle], self.records[middle:]
        border = {record.log_partition: record.offset for record in reversed(second)}
        before, after = {one.log_partition for one in first}, border.keys()
        return (
            Chunk(
                first,
                {partition: self.starts[partition] for partition in before},
                {partition: border.get(partition, self.ends[partition]) for partition in before},
            ),
            Chunk(
                second,
                {one: border[one] if one in before else self.starts[one] for one in after},
                {partition: self.ends[partition] for partition in after},
            ),
        )

    def without(self, partitions: Collection[Partition]) -> "Chunk":
        """What is left when some partitions are not ours any more."""
        left = self.starts.keys() - set(partitions)
        return Chunk(
            [one for one in self.records if one.log_partition in left],
            {partition: self.starts[partition] for partition in left},
            {partition: self.ends[partition] for partition in left},
        )


async def positions(
    tx: Transaction, log_id: str, beginnings: Mapping[Partition, int]
) -> dict[Partition, int]:
    """Where to go on, per partition. A log of another cluster is read from its beginning: the inbox knows."""
    row = insert(offsets)
    await tx.execute(
        row.on_conflict_do_update(
            index_elements=["topic", "partition"],
            set_={"log_id": row.excluded.log_id, "next_offset": row.excluded.next_offset},
            where=offsets.c.log_id != row.excluded.log_id,
        ),
        [
            {"topic": topic, "partition": number, "log_id": log_id, "next_offset": offset}
            for (topic, number), offset in sorted(beginnings.items())
        ],
    )
    rows = await tx.execute(
        sa.select(offsets.c.topic, offsets.c.partition, offsets.c.next_offset).where(
            sa.tuple_(offsets.c.topic, offsets.c.partition).in_(list(beginnings))
        )
    )
    return {(row.topic, row.partition): row.next_offset for row in rows}


_CLAIM = """
UPDATE consumer_offsets SET next_offset = moved.ending
FROM unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[]) AS moved(log, number, starting, ending)
WHERE topic = moved.log AND partition = moved.number AND next_offset = moved.starting
RETURNING topic, partition
"""


async def claim(tx: Transaction, chunk: Chunk) -> None:
    """Move the offsets first: whoever lost a partition in the meantime finds its offset moved."""
    rows = [(*partition, start, chunk.ends[partition]) for partition, start in chunk.starts.items()]
    driver = await tx.driver()
    claimed = await driver.fetch(_CLAIM, *(list(column) for column in zip(*rows, strict=True)))
    if len(claimed) < len(rows):
        raise MovedError(chunk.starts.keys() - {(row["topic"], row["partition"]) for row in claimed})
