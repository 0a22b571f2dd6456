"""Alerts and dashboards ask for what the services export, and lead to a page that helps. Read, not run.

What Prometheus itself makes of the rules is tried by `tests/soak/alerts.py`.
"""

import importlib
import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import yaml

from local import places
from local.layout import SERVICES, Layout
from shared.events.envelope import catalog
from shared.telemetry import registry
from wallet import jobs
from wallet.domain.payouts import State

PROMETHEUS = places.CLONE / "deploy" / "prometheus"
DASHBOARDS = sorted((places.CLONE / "deploy" / "grafana" / "dashboards").glob("*.json"))
OPERATIONS = (places.CLONE / "docs" / "operations.md").read_text()
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]
OF_PROMETHEUS = {"up"}
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}
WORDS = re.compile(r"\b[a-z_][a-z0-9_]*\b(?!\s*\()")
"""A name without a parenthesis after it: a metric, once selectors, ranges and groupings are taken out."""
NOT_NAMES = re.compile(r"\{[^}]*\}|\[[^\]]*\]|\b(?:by|without)\s*\([^)]*\)|\boffset\s+\w+|\$\w+")
KEYWORDS = {"or", "and", "unless", "offset", "by", "without"}
SELECTED = re.compile(r'(\w+)(=~|=)"([^"]*)"')


@cache
def exported() -> frozenset[str]:
    """Every series that some process of ours has."""
    for service in SERVICES:
        importlib.import_module(f"{service}.main")
    importlib.import_module("shared.commands")
    return frozenset(
        family.name + suffix for family in registry.collect() for suffix in SUFFIXES[family.type]
    )


def metrics_of(expression: str) -> set[str]:
    return set(WORDS.findall(NOT_NAMES.sub(" ", expression))) - KEYWORDS


def panels() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in DASHBOARDS:
        for panel in json.loads(path.read_text())["panels"]:
            yield f"{path.stem}: {panel['title']}", panel


def expressions() -> list[tuple[str, str]]:
    asked = [(rule["alert"], rule["expr"]) for rule in RULES]
    return asked + [(name, target["expr"]) for name, panel in panels() for target in panel["targets"]]


def test_names_of_metrics_are_found_in_expressions() -> None:
    asked = 'sum by (le, a) (rate(x_bucket{b="c"}[5m])) / on_y offset 15m > 3 * 3600 or vector(0)'
    assert metrics_of(asked) == {"x_bucket", "on_y"}


@pytest.mark.parametrize(("name", "expression"), expressions())
def test_what_is_asked_for_is_exported(name: str, expression: str) -> None:
    asked = metrics_of(expression)
    assert asked, name
    assert asked <= exported() | OF_PROMETHEUS
    known = {
        "type": set(catalog),
        "job": {program.name for program in Layout().programs()},
        "at": set(jobs.PLACES),
        "state": {state.value for state in State},
        "reason": {"not_yet", "failed", "unreadable"},
    }
    for label, how, value in SELECTED.findall(expression):
        if label in known:
            pattern = re.escape(value) if how == "=" else value
            assert any(re.fullmatch(pattern, one) for one in known[label]), f"{name}: {label}={value}"


def test_all_that_is_exported_is_in_the_docs() -> None:
    told = set(re.findall(r"`(\w+)`", OPERATIONS))
    ours = {name for name in exported() if not name.startswith("process_")}
    assert {name for name in ours if not {name, re.sub(r"_(bucket|sum|count)$", "", name)} & told} == set()


def headings() -> set[str]:
    """Anchors of the page's sections, as hosts of Markdown make them."""
    found = re.findall(r"^#+ (.+)$", OPERATIONS, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}


@pytest.mark.parametrize("rule", RULES, ids=[rule["alert"] for rule in RULES])
def test_an_alert_says_what_to_do(rule: dict[str, Any]) -> None:
    page, _, anchor = rule["annotations"]["section"].partition("#")
    assert page == "docs/operations.md"
    assert anchor in headings()
    assert f"| `{rule['alert']}` |" in OPERATIONS
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert rule["annotations"]["summary"]


def test_each_alert_is_tried_and_each_line_of_the_page_is_an_alert() -> None:
    alerts = {rule["alert"] for rule in RULES}
    tried = yaml.safe_load((PROMETHEUS / "alerts_test.yml").read_text())["tests"]
    cases = [case for test in tried for case in test["alert_rule_test"]]
    assert {case["alertname"] for case in cases if case.get("exp_alerts")} == alerts
    section = OPERATIONS.partition("\n## Alerts\n")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == alerts


def test_there_are_five_dashboards_and_they_are_provisioned() -> None:
    boards = [json.loads(path.read_text()) for path in DASHBOARDS]
    assert [board["uid"] for board in boards] == ["enrollments", "events", "money", "payouts", "requests"]
    source = yaml.safe_load(
        (places.CLONE / "deploy/grafana/provisioning/datasources/prometheus.yml").read_text()
    )["datasources"][0]
    for name, panel in panels():
        used = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
        assert {one["uid"] for one in used} == {source["uid"]}, name
    for board in boards:
        assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
