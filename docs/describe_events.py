"""Writes `docs/events.md` from the catalog and the services' routers; `--check` only says if it differs."""

import sys
from pathlib import Path
from typing import Any

from clubs.main import service as clubs
from enrollment.main import service as enrollment
from notifications.main import service as notifications
from shared.events.envelope import Event, catalog
from shared.events.schemas import Schema, describe
from wallet.main import service as wallet

FILE = Path(__file__).parent / "events.md"
SERVICES = (enrollment, clubs, wallet, notifications)

HEAD = """\
# Events

Generated from the code by `docs/describe_events.py`; a test holds the two together. Change the code, then run
`.venv/bin/python -m shared.events.schemas`, `.venv/bin/python docs/describe_events.py` and
`.venv/bin/python docs/describe_streams.py`, which writes the same for machines, as AsyncAPI.

An event is a record in Kafka: CloudEvents 1.0 in binary mode. So its attributes are headers (`ce_id`,
`ce_type`, `ce_source`, `ce_subject`, `ce_time`, `ce_partitionkey`, `ce_correlationid`, `ce_causationid`, and
`traceparent`), and its value is the JSON described here. The record's key is the event's key: records of one
key keep their order. Ids are UUIDs, amounts are tiyn (1/100 of a tenge), days are civil days of Asia/Almaty,
moments are UTC.

A writer sends nothing but the fields below. A reader ignores fields it does not know, skips types it does
not know, and must live with an event that comes twice. A field that may be absent can be added; every other
change is a new type. Each type has a JSON Schema in `shared/src/shared/events/schemas/` and a sample in
`tests/events/`.

*Full state* means: the event carries the whole state of the thing and a version, is applied if its version
is not older than the stored one, does not wait behind a parked key, and can be told again with `republish`.
*Dropping takes two* means: `parked drop` of such a record is a proposal that another administrator approves.
"""


def render() -> str:
    """The whole document."""
    parts = [HEAD, _overview()]
    for owner in SERVICES:
        events = [event for type_, event in sorted(catalog.items()) if type_.startswith(f"{owner.name}.")]
        if events:
            parts.append(f"## What {owner.name} tells\n")
            parts += [_section(event) for event in events]
    return "\n".join(parts)


def _overview() -> str:
    rows = [
        f"| [`{type_}`](#{_anchor(type_)}) | `{event.topic}` | {', '.join(_readers(event)) or 'nobody yet'} |"
        for type_, event in sorted(catalog.items(), key=lambda one: (one[1].topic, one[0]))
    ]
    return "\n".join(["| type | topic | read by |", "|---|---|---|", *rows, ""])


def _section(event: type[Event]) -> str:
    schema = describe(event)
    traits = [
        *(["full state"] if event.full_state else []),
        *(["dropping takes two"] if event.about_money else []),
        f"topic `{event.topic}`",
        f"read by {', '.join(_readers(event)) or 'nobody yet'}",
    ]
    rows = _rows(schema, schema, "")
    return "\n".join(
        [
            f"### `{event.type}`\n",
            " ".join(line.strip() for line in (event.__doc__ or "").strip().splitlines()) + "\n",
            f"{'; '.join(traits).capitalize()}.\n",
            "| field | what | |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )


def _rows(part: Schema, schema: Schema, above: str) -> list[str]:
    rows = []
    for name, field in part["properties"].items():
        may_be_absent = "" if name in part["required"] else "may be absent"
        words = ". ".join(one for one in (field.get("description"), may_be_absent) if one)
        rows.append(f"| `{above}{name}` | {_kind(field)} | {words} |")
        inner, mark = (field["items"], "[].") if "items" in field else (field, ".")
        if "$ref" in inner:
            rows += _rows(_resolve(inner, schema), schema, f"{above}{name}{mark}")
    return rows


def _kind(field: dict[str, Any]) -> str:
    if "anyOf" in field:
        return " or ".join(_kind(one) for one in field["anyOf"])
    if "$ref" in field:
        return "object"
    if "items" in field:
        return f"list of {_kind(field['items'])}"
    if "enum" in field:
        return " / ".join(f"`{one}`" for one in field["enum"])
    plain = field.get("format", field["type"])
    low, high = field.get("minimum"), field.get("maximum")
    if low is None and high is None:
        return str(plain)
    return f"{plain} from {low}" if high in (None, 2**53 - 1) else f"{plain} {low}–{high}"


def _resolve(reference: dict[str, Any], schema: Schema) -> Schema:
    found: Schema = schema["$defs"][reference["$ref"].rpartition("/")[2]]
    return found


def _readers(event: type[Event]) -> list[str]:
    """Services whose router handles this type."""
    return [service.name for service in SERVICES if event.type in service.events.types]


def _anchor(type_: str) -> str:
    return type_.replace(".", "")


def main(*, only_check: bool) -> int:
    """The exit status: 0 if the document is, or now is, what the code says."""
    wanted = render()
    if only_check:
        return 0 if FILE.exists() and FILE.read_text() == wanted else 1
    FILE.write_text(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main(only_check="--check" in sys.argv[1:]))
