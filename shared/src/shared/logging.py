"""Logs: one JSON object a line on standard output, with the correlation id, without data of natural persons.

Everything passes the same redaction: our own events, and what uvicorn, aiokafka and asyncio have to say.
"""

import logging
import re
import sys
from collections.abc import Mapping
from typing import Any

import orjson
import structlog
from structlog.types import EventDict, Processor, WrappedLogger

TEXT_MAX = 4096
_JSON_BITS = 63
REDACTED = "[redacted]"
_SECRET_KEYS = re.compile(
    r"(^|_)(iin|bin_iin|phone|mobile|email|e_mail|name|surname|patronymic|birth_?date|born_on|address|iban|card"
    r"|diagnosis|contact|password|secret|pepper|token|authorization|cookie|body|payload|database_url|dsn)s?$",
    re.IGNORECASE,
)
_PUBLIC_KEYS = frozenset({"logger_name", "thread_name", "process_name", "task_name", "event_name"})
# Ids are matched first and left alone: the last part of a UUID can look like an IIN.
_SENSITIVE = re.compile(
    r"(?P<id>\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b)"
    r"|eyJ[\w-]+\.[\w-]*\.[\w-]*"  # a JWT
    r"|(?<=://)[^\s/@]+(?=@)"  # the password of an address
    r"|[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
    r"|(?<![\w.])\d{12}(?![\w.]*\d)"  # an IIN or a BIN
    r"|(?<![\w])(?:\+\s?7|8|7)[\s(-]*7\d\d[\s)-]*\d{3}[\s-]*\d\d[\s-]*\d\d(?!\d)",  # a mobile number
    re.IGNORECASE,
)


def configure_logging(service: str, process: str) -> None:
    """Log as this process from now on."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _origin(service, process),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                redact,
                structlog.processors.JSONRenderer(serializer=_dumps),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    logging.getLogger("httpx").setLevel(logging.WARNING)


def _origin(service: str, process: str) -> Processor:
    def add(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        return {**event, "service": service, "process": process}

    return add


def redact(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Take out what could tell of a person, by the names of things and by what they look like."""
    return {key: _redacted(key, value) for key, value in event.items()}


def _redacted(key: str, value: object) -> Any:  # noqa: ANN401 - any value that can be logged
    if _SECRET_KEYS.search(key) and key not in _PUBLIC_KEYS:
        return REDACTED
    if isinstance(value, bool | float | None) or (isinstance(value, int) and value.bit_length() < _JSON_BITS):
        return value
    if isinstance(value, Mapping):
        return {str(name): _redacted(str(name), item) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_redacted("", item) for item in value]
    text = str(value).encode(errors="replace").decode()  # a lone surrogate would cost the whole line
    shown = text[-TEXT_MAX:] if key == "exception" else text[:TEXT_MAX]  # the end of a trace says most
    return _SENSITIVE.sub(lambda match: match["id"] or REDACTED, shown)


def _dumps(value: EventDict, **_: object) -> str:
    return orjson.dumps(value, default=str).decode("utf-8", "replace")
