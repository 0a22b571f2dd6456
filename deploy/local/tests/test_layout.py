"""Ports and environments: two copies side by side, and nobody is told more than needed."""

import pytest

from local.layout import Layout


def test_two_copies_two_hundred_ports_apart_share_none() -> None:
    assert not Layout(8100).ports().keys() & Layout(8300).ports().keys()


def test_no_two_processes_of_a_copy_share_a_port() -> None:
    assert len(Layout().ports()) == 9 + 4  # nine programs, mail, PostgreSQL, Kafka and its controller


def test_the_documented_ports_are_the_default() -> None:
    system = Layout()
    assert system.address("outside") == "http://127.0.0.1:8100"
    assert [system.api_port(service) for service in ("enrollment", "clubs", "wallet", "notifications")] == [
        8101,
        8102,
        8103,
        8104,
    ]


def test_a_running_service_is_not_told_how_to_become_its_owner() -> None:
    for program in Layout().programs():
        assert not any(
            "_owner" in value for name, value in program.environment.items() if name.startswith("SW_")
        )
    assert "wallet_owner" in Layout().migration("wallet").environment["SW_OWNER_DATABASE_URL"]


def test_what_the_caller_has_in_its_environment_does_not_reach_a_service(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SW_ISSUER", "https://elsewhere.example")
    assert Layout().environment("clubs")["SW_ISSUER"] == "http://127.0.0.1:8100"


def test_running_servers_are_taken_instead_of_our_own() -> None:
    given = Layout(8100, "postgresql://boss:secret@db.example:5433/postgres", "kafka.example:9092")
    assert given.role_url("auditor") == "postgresql://auditor:auditor@db.example:5433/socialwallet"
    assert given.system_url == "postgresql://boss:secret@db.example:5433/socialwallet"
    assert given.bootstrap == "kafka.example:9092"
    assert not {"PostgreSQL", "Kafka"} & set(given.ports().values())
