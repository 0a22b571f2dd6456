"""The alert rules, by Prometheus' own judgment: their form, their tests, and a running system.

promtool checks the settings, the rules with their made-up cases, and every query of the dashboards. Then
Prometheus itself asks the eight processes of a system: all are up, every series that is asked for is there,
no alert speaks while all is well, and one does when a worker is stopped.
"""

import json
import os
import re
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).parents[1]))

from local import places
from local.layout import SERVICES, Layout
from rig import prometheus, system
from rig.prometheus import SETTINGS, Prometheus
from rig.system import System

DASHBOARDS = sorted((places.CLONE / "deploy" / "grafana" / "dashboards").glob("*.json"))
RATE_INTERVAL = "1m"
"""What Grafana would put in."""
QUIET_SECONDS = 30
WAIT_SECONDS = 180
LATER = {"audit_findings", "audit_timestamp_seconds", "money_tiyn", "payouts"}
"""Shown only after a minute or more of a worker's life."""
SELDOM = {"enrollment_impossible_total", "events_parked_total"}
"""Has no series before it first happens."""

SERIES = re.compile(r"\b[a-z]+(?:_[a-z]+)+\b(?=[{\[)]| [><-]|$)")
"""What is not a function, a label or a word of PromQL."""


class Verdict:
    """What was found, said at once; whether all of it was right."""

    def __init__(self) -> None:
        self.right = True

    def check(self, what: str, right: object) -> None:
        self.right &= bool(right)
        sys.stdout.write(f"{'ok   ' if right else 'WRONG'} {what}\n")
        sys.stdout.flush()


def queries() -> Iterator[tuple[str, str]]:
    """What the dashboards ask, as Grafana sends it."""
    for path in DASHBOARDS:
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel["targets"]:
                name = f"{path.stem}: {panel['title']} {target['refId']}"
                yield name, target["expr"].replace("$__rate_interval", RATE_INTERVAL)


def check_files(verdict: Verdict) -> None:
    for arguments in (
        ("check", "config", "--syntax-only", "prometheus.yml"),
        ("check", "rules", "alerts.yml"),
    ):
        done = prometheus.promtool(*arguments)
        verdict.check(f"promtool {' '.join(arguments)}", done.returncode == 0)
        if done.returncode:
            sys.stdout.write(done.stdout)
    done = prometheus.promtool("test", "rules", "alerts_test.yml")
    cases = len(yaml.safe_load((SETTINGS / "alerts_test.yml").read_text())["tests"])
    verdict.check(f"promtool test rules: {cases} cases", done.returncode == 0)
    if done.returncode:
        sys.stdout.write(done.stdout)
    asked = [{"record": f"panel:{number}", "expr": query} for number, (_, query) in enumerate(queries())]
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
        yaml.safe_dump({"groups": [{"name": "dashboards", "rules": asked}]}, file)
        file.flush()
        done = prometheus.promtool("check", "rules", file.name)
    verdict.check(f"{len(asked)} queries of {len(DASHBOARDS)} dashboards can be read", done.returncode == 0)
    if done.returncode:
        sys.stdout.write(done.stdout)


def wait_for(condition: Callable[[], object]) -> bool:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(1)
    return True


def speaking(watch: Prometheus) -> set[str]:
    return {one["labels"]["alertname"] for one in watch.ask("alerts")["alerts"] if one["state"] == "firing"}


def pending(watch: Prometheus) -> set[str]:
    return {one["labels"]["alertname"] for one in watch.ask("alerts")["alerts"]}


def check_calm(verdict: Verdict, watch: Prometheus) -> None:
    """All targets are up, what is asked for is there, and no alert speaks."""

    def up() -> set[str]:
        found = watch.ask("targets")["activeTargets"]
        return {one["labels"]["job"] for one in found if one["health"] == "up"}

    jobs = {f"{service}-{mode}" for service in SERVICES for mode in ("api", "worker")}
    wait_for(lambda: up() == jobs)
    verdict.check(f"Prometheus asks all eight processes: {len(up())}", up() == jobs)
    time.sleep(QUIET_SECONDS)
    names = set(watch.ask("label/__name__/values"))
    rules = [rule for group in watch.ask("rules")["groups"] for rule in group["rules"]]
    verdict.check(f"{len(rules)} rules are evaluated", all(rule["health"] == "ok" for rule in rules))
    asked = [rule["query"] for rule in rules] + [query for _, query in queries()]
    missing = {
        name
        for query in asked
        for name in SERIES.findall(re.sub(r'"[^"]*"', '""', query))
        if name not in names | LATER | SELDOM
    }
    verdict.check(f"every series that is asked for is there: {sorted(missing)}", not missing)
    verdict.check(f"no alert speaks: {sorted(speaking(watch))}", not speaking(watch))


def check_later(verdict: Verdict, watch: Prometheus) -> None:
    """What workers tell after a minute."""
    there = wait_for(lambda: set(watch.ask("label/__name__/values")) >= LATER)
    verdict.check(f"workers tell of their books and their money: {sorted(LATER)}", there)
    found = watch.ask("query", query="sum(audit_findings)")["result"]
    verdict.check("the checks found nothing", [one["value"][1] for one in found] == ["0"])
    money = watch.ask("query", query='max(money_tiyn{at="bank"})')["result"]
    verdict.check("the seeds' money is seen", money and float(money[0]["value"][1]) > 0)


def check_stopped(verdict: Verdict, running: System, watch: Prometheus) -> None:
    """A worker that hangs is noticed, and so is that it is back."""
    pid = running.pid("clubs-worker")
    os.kill(pid, signal.SIGSTOP)
    try:
        down = wait_for(lambda: "ProcessDown" in speaking(watch))
    finally:
        os.kill(pid, signal.SIGCONT)
    verdict.check("ProcessDown speaks while a worker hangs", down)
    verdict.check("and no longer when it is back", wait_for(lambda: "ProcessDown" not in pending(watch)))


def main() -> int:
    verdict = Verdict()
    check_files(verdict)
    with system.running() as running:
        layout = Layout(running.base_port)
        targets = {
            f"{service}-{mode}": f"127.0.0.1:{port}"
            for service in SERVICES
            for mode, port in (("api", layout.api_port(service)), ("worker", layout.worker_port(service)))
        }
        with prometheus.running(running.state, targets) as watch:
            check_calm(verdict, watch)
            check_later(verdict, watch)
            check_stopped(verdict, running, watch)
    return 0 if verdict.right else 1


if __name__ == "__main__":
    sys.exit(main())
