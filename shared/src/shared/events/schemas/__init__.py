"""The committed JSON Schemas of the published language: one file per event type, beside this module.

They say what a writer may send. A reader is more patient: it ignores fields it does not know. So a change
that only adds a field which may be absent keeps the type; any other change is a new type, `….v2`.
`python -m shared.events.schemas` writes the files. No service imports this.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from shared.events import attendance, clubs, enrollment, wallet
from shared.events.envelope import Event, catalog

FOLDER = Path(__file__).parent
PUBLISHED_LANGUAGE = (attendance, clubs, enrollment, wallet)
"""Imported so that the catalog knows every event."""

Schema = dict[str, Any]

_ONLY_WORDS = {"$id", "$schema", "description", "examples", "title"}


class _Plain(GenerateJsonSchema):
    """Pydantic's schemas, less what misleads a reader who only has them."""

    def field_title_should_be_set(self, _: object) -> bool:
        return False  # it would repeat the name

    def time_schema(self, _: object) -> Schema:
        # A civil time; the format `time` of JSON Schema would want an offset from UTC.
        return {"type": "string", "pattern": r"^([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?$"}


def describe(event: type[Event]) -> Schema:
    """The schema of one event's value, as JSON Schema 2020-12."""
    schema = event.model_json_schema(schema_generator=_Plain)
    return {"$schema": _Plain.schema_dialect, "$id": f"urn:social-wallet:{event.type}"} | schema


def rendered() -> dict[str, str]:
    """What each file should contain, by its name."""
    return {
        f"{type_}.json": json.dumps(describe(event), indent=2, ensure_ascii=False) + "\n"
        for type_, event in sorted(catalog.items())
    }


def committed() -> dict[str, str]:
    """What the files contain."""
    return {path.name: path.read_text() for path in FOLDER.glob("*.json")}


def breaks(old: Schema, new: Schema) -> list[str]:
    """What of a change would hurt readers or existing records: all but words and fields one may leave out."""
    return sorted(_breaks(old, new, "$"))


def _breaks(old: Any, new: Any, at: str) -> Iterator[str]:  # noqa: ANN401 - any JSON
    if not (isinstance(old, dict) and isinstance(new, dict)):
        if old != new:
            yield f"{at} changed"
        return
    named_by_us = at.endswith((".properties", ".$defs"))
    for name in (old.keys() | new.keys()) - (set() if named_by_us else _ONLY_WORDS):
        if name not in new:
            yield f"{at}.{name} is gone"
        elif name in old:
            yield from _breaks(old[name], new[name], f"{at}.{name}")
        elif not named_by_us and name not in {"properties", "$defs"}:
            yield f"{at}.{name} is new"
