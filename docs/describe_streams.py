"""Writes `docs/asyncapi.json`, the topics for machines, as AsyncAPI 3; `--check` only says if it differs.

`docs/events.md` is the same for people. What an event contains is not repeated: each message names its
committed JSON Schema.
"""

import json
import sys
from pathlib import Path
from typing import Any

from clubs.main import service as clubs
from enrollment.main import service as enrollment
from notifications.main import service as notifications
from shared.events.envelope import Event, catalog
from shared.kafka import PARTITIONS
from shared.service import Service
from wallet.main import service as wallet

FILE = Path(__file__).parent / "asyncapi.json"
SCHEMAS = "../shared/src/shared/events/schemas"
SERVICES = (clubs, enrollment, notifications, wallet)

Json = dict[str, Any]

HEADERS: Json = {
    "type": "object",
    "required": [
        *("ce_specversion", "ce_id", "ce_source", "ce_type", "ce_subject", "ce_time"),
        *("ce_partitionkey", "ce_correlationid", "content-type"),
    ],
    "properties": {
        "ce_specversion": {"type": "string", "const": "1.0"},
        "ce_id": {"type": "string", "format": "uuid", "description": "With ce_source: which event it is"},
        "ce_source": {
            "type": "string",
            "format": "uri-reference",
            "description": "The service that tells it",
        },
        "ce_type": {"type": "string", "description": "The name of the message"},
        "ce_subject": {"type": "string", "description": "Whom or what it is about"},
        "ce_time": {"type": "string", "format": "date-time", "pattern": "Z$"},
        "ce_partitionkey": {"type": "string", "description": "The key of the record"},
        "ce_correlationid": {"type": "string", "format": "uuid", "description": "Of all that one act caused"},
        "ce_causationid": {
            "type": "string",
            "format": "uuid",
            "description": "The event that caused this one",
        },
        "content-type": {"type": "string", "const": "application/json"},
        "traceparent": {"type": "string", "description": "W3C Trace Context"},
    },
}


def describe() -> Json:
    """The whole document."""
    topics = sorted({event.topic for event in catalog.values()})
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Social wallet: events",
            "version": "1",
            "description": (
                "CloudEvents 1.0 over Kafka, binary mode. A reader ignores fields and skips types that it"
                " does not know, and must live with an event that comes twice. Records of one key keep"
                " their order."
            ),
        },
        "defaultContentType": "application/json",
        "channels": {topic: _channel(topic) for topic in topics},
        "operations": {name: one for service in SERVICES for name, one in _operations(service).items()},
        "components": {
            "messages": {type_: _message(event) for type_, event in sorted(catalog.items())},
            "schemas": {"headers": HEADERS},
        },
    }


def _of(topic: str) -> list[str]:
    return [type_ for type_, event in sorted(catalog.items()) if event.topic == topic]


def _channel(topic: str) -> Json:
    return {
        "address": topic,
        "messages": {type_: {"$ref": f"#/components/messages/{type_}"} for type_ in _of(topic)},
        "bindings": {"kafka": {"topic": topic, "partitions": PARTITIONS, "bindingVersion": "0.5.0"}},
    }


def _message(event: type[Event]) -> Json:
    return {
        "name": event.type,
        "summary": " ".join((event.__doc__ or "").split()),
        "contentType": "application/json",
        "headers": {"$ref": "#/components/schemas/headers"},
        "payload": {
            "schemaFormat": "application/schema+json;version=draft-2020-12",
            "schema": {"$ref": f"{SCHEMAS}/{event.type}.json"},
        },
        "correlationId": {"location": "$message.header#/ce_correlationid"},
        "bindings": {
            "kafka": {
                "key": {"type": "string", "description": "What the order of events is kept for: a UUID"},
                "bindingVersion": "0.5.0",
            }
        },
    }


def _operations(service: Service) -> Json:
    """What a service tells and what it listens to, topic by topic."""
    told = [type_ for type_ in sorted(catalog) if type_.startswith(f"{service.name}.")]
    heard = sorted(service.events.types)
    found = {}
    for action, verb, types in (("send", "tells", told), ("receive", "hears", heard)):
        for topic in sorted({catalog[type_].topic for type_ in types}):
            found[f"{service.name}.{verb}.{topic}"] = {
                "action": action,
                "channel": {"$ref": f"#/channels/{topic}"},
                "messages": [
                    {"$ref": f"#/channels/{topic}/messages/{type_}"}
                    for type_ in types
                    if catalog[type_].topic == topic
                ],
            }
    return found


def main(*, only_check: bool) -> int:
    """The exit status: 0 if the document is, or now is, what the code says."""
    wanted = json.dumps(describe(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    if only_check:
        return 0 if FILE.exists() and FILE.read_text() == wanted else 1
    FILE.write_text(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main(only_check="--check" in sys.argv[1:]))
