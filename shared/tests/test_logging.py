"""What is logged is one JSON object a line and tells nothing of a person."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from shared.logging import REDACTED, configure_logging, redact

PERSONAL = [
    "880101300123",
    "+77011234567",
    "8 (701) 123-45-67",
    "+7 701 123 45 67",
    "aigul.serik@example.kz",
    "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
]
HARMLESS = [
    "0199b3a0-0000-7000-8000-123456789012",
    "2026-11-22T03:59:12.834197Z",
    "150000000",
    "/v1/enrollments/{enrollment_id}",
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
]


def _redacted(**event: object) -> dict[str, object]:
    return dict(redact(None, "info", event))


@pytest.mark.parametrize("text", PERSONAL)
@pytest.mark.parametrize("frame", ["{}", "failed for {} today", "Key (x)=({}) exists.", "is={}.", "«{}»,"])
def test_what_looks_personal_is_taken_out(text: str, frame: str) -> None:
    expected = frame.format(REDACTED)
    assert _redacted(event=frame.format(text)) == {"event": expected}
    assert _redacted(details={"lines": [frame.format(text)]}) == {"details": {"lines": [expected]}}


@pytest.mark.parametrize("text", HARMLESS)
def test_ids_and_times_are_kept(text: str) -> None:
    assert _redacted(event=text) == {"event": text}


@pytest.mark.parametrize(
    "key",
    ["iin", "child_iin", "phone", "phones", "email", "first_name", "token", "authorization", "iban", "body"],
)
def test_what_is_named_personal_is_taken_out(key: str) -> None:
    assert _redacted(**{key: "Aigul"}) == {key: REDACTED}
    assert _redacted(details={key: ["Aigul"]}) == {"details": {key: REDACTED}}


def test_the_password_of_an_address_is_taken_out() -> None:
    assert "s3cret" not in str(_redacted(event="connect to postgresql://wallet:s3cret@db:5432/sw"))


@pytest.fixture
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, config = root.handlers[:], root.level, structlog.get_config()
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**config)


@pytest.mark.usefixtures("_restored")
def test_each_event_is_one_line_of_json_whoever_wrote_it(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("wallet", "worker")
    structlog.get_logger().info("posted", text="two\nlines \ud800 \x1b[31m", amount_tiyn=5, huge=2**70)
    try:
        int("880101300123 is taken")
    except ValueError:
        logging.getLogger("aiokafka").exception("failed for %s", "aigul@example.kz")
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["event"], first["service"], first["process"]) == ("posted", "wallet", "worker")
    assert (first["amount_tiyn"], first["huge"]) == (5, str(2**70))
    assert second["event"] == f"failed for {REDACTED}"
    assert "ValueError" in second["exception"]
    assert "880101300123" not in second["exception"]
