"""The log as somebody else sees it: with public libraries and the committed contracts only, nothing of ours.

Whoever reads our topics needs `docs/asyncapi.json`, the JSON Schemas it names, and a CloudEvents library.
"""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import ConsumerRecord
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event
from cloudevents.core.exceptions import BaseCloudEventException
from jsonschema import Draft202012Validator

CONTRACT = Path(__file__).parents[2] / "docs/asyncapi.json"


class Contracts:
    """What is promised about each record."""

    def __init__(self) -> None:
        document = json.loads(CONTRACT.read_text())
        self.topics = {
            channel["address"]: set(channel["messages"]) for channel in document["channels"].values()
        }
        self._headers = _validator(document["components"]["schemas"]["headers"])
        self._values = {
            name: _validator(json.loads((CONTRACT.parent / message["payload"]["schema"]["$ref"]).read_text()))
            for name, message in document["components"]["messages"].items()
        }

    def defects(self, record: ConsumerRecord) -> Iterator[str]:
        """What is wrong with a record; nothing, as it should be."""
        headers = {name: value.decode() for name, value in record.headers}
        if len(headers) != len(record.headers):
            yield "a header comes twice"
        yield from (f"headers: {error.message}" for error in self._headers.iter_errors(headers))
        try:
            event = from_binary_event(KafkaMessage(dict(record.headers), record.key, record.value))
        except BaseCloudEventException as error:
            yield f"no CloudEvent: {error}"
            return
        type_, content = event.get_type(), event.get_data()
        if type_ not in self.topics[record.topic]:
            yield f"{type_} is none of the topic's messages"
            return
        if event.get_source() != f"/{type_.partition('.')[0]}":
            yield f"{event.get_source()} does not own it"
        if (record.key or b"").decode() != headers.get("ce_partitionkey"):
            yield "the record has another key than it says"
        yield from (
            f"{error.json_path}: {error.message}" for error in self._values[type_].iter_errors(content)
        )


def _validator(schema: dict[str, Any]) -> Draft202012Validator:
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)


async def look(kafka_bootstrap: str) -> tuple[Counter[str], list[str]]:
    """How many records of each type there are in all topics, and what is wrong with any of them."""
    contracts = Contracts()
    seen, wrong = Counter[str](), []
    async with AIOKafkaConsumer(
        *contracts.topics, bootstrap_servers=kafka_bootstrap, group_id=None, auto_offset_reset="earliest"
    ) as log:
        partitions = [
            TopicPartition(topic, number)
            for topic in contracts.topics
            for number in log.partitions_for_topic(topic) or ()
        ]
        left = {one: end for one, end in (await log.end_offsets(partitions)).items() if end}
        while left:
            for records in (await log.getmany(*left, timeout_ms=500)).values():
                for record in records:
                    seen[dict(record.headers).get("ce_type", b"").decode()] += 1
                    where = f"{record.topic}/{record.partition}@{record.offset}"
                    wrong += [f"{where}: {defect}" for defect in contracts.defects(record)]
            left = {one: end for one, end in left.items() if await log.position(one) < end}
    return seen, wrong
