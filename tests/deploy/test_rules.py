"""Alert rules: complete, explained, and played through by promtool."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from relay.adapters.observe.metrics import Labels, Metrics
from tests.deploy.monitoring import metric_names

# What an operator must hear about, and nothing else. Down is ours: without a scrape no other rule can speak.
ALERTS = {
    "RelayDown": "critical",
    "RelayRedisDown": "critical",
    "RelayHeld": "critical",
    "RelayValueAtRisk": "critical",
    "RelayBacklogWillExpire": "warning",
    "RelayGateNotClosed": "warning",
    "RelayNothingSettled": "critical",
    "RelayBacklogAge": "warning",
    "RelayBacklogGrowth": "warning",
    "RelayDeadLetters": "warning",
    "RelayRecordsTrimmed": "warning",
    "RelayDeadLettersCrowded": "warning",
    "RelayMappingRefused": "warning",
    "RelayBooksUnbalanced": "critical",
    "RelaySenderRefused": "critical",
    "RelayOverloaded": "warning",
    "RelayLoopLagged": "warning",
    "RelayFilteredShare": "warning",
    "RelayStoreFilling": "critical",
    "RelayShedding": "critical",
    "RelayDiskLow": "critical",
}
RULE_TESTS = ("rules_test.yml", "rules_days_test.yml")


@pytest.fixture(scope="module")
def rules(root: Path) -> list[dict[str, Any]]:
    [group] = yaml.safe_load((root / "deploy/prometheus/rules.yml").read_text(encoding="utf-8"))["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def test_these_alerts_and_no_others(rules: list[dict[str, Any]]) -> None:
    alerts = {rule["alert"]: rule["labels"]["severity"] for rule in rules if "alert" in rule}
    assert alerts == ALERTS


def test_each_says_what_is_wrong_and_what_to_do(rules: list[dict[str, Any]]) -> None:
    for rule in rules:
        if "alert" in rule:
            notes = rule["annotations"]
            assert set(notes) == {"summary", "runbook"}
            assert 20 < len(notes["summary"]) < 130, rule["alert"]
            assert 80 < len(notes["runbook"]) < 300, rule["alert"]
            assert "\n" not in notes["runbook"]


def test_rules_read_only_metrics_that_exist(rules: list[dict[str, Any]]) -> None:
    known = metric_names(Metrics(Labels(destinations=("shop",)), _Still()).render())
    recorded: set[str] = set()
    for rule in rules:
        names = set(re.findall(r"relay[_:]\w+", re.sub(r'"[^"]*"', "", rule["expr"])))
        assert names <= known | recorded, rule
        recorded |= {rule["record"]} if "record" in rule else set()


def test_runbooks_name_only_metrics_that_exist(rules: list[dict[str, Any]]) -> None:
    known = metric_names(Metrics(Labels(destinations=("shop",)), _Still()).render())
    for rule in rules:
        named = set(re.findall(r"relay_\w+", rule.get("annotations", {}).get("runbook", "")))
        assert named <= known, rule["alert"]


def test_every_alert_is_heard_in_some_rule_test(root: Path) -> None:
    played = "".join((root / "deploy/prometheus" / name).read_text(encoding="utf-8") for name in RULE_TESTS)
    assert {name for name in ALERTS if f'{{alertname="{name}"' not in played} == set()


def promtool(root: Path, *words: str) -> None:
    done = subprocess.run(
        ["promtool", *words], cwd=root / "deploy/prometheus", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.needs("promtool")
@pytest.mark.parametrize(
    "words", [("check", "rules", "rules.yml"), ("check", "config", "prometheus.yml")], ids=" ".join
)
def test_promtool_accepts(root: Path, words: tuple[str, ...]) -> None:
    promtool(root, *words)


@pytest.mark.needs("promtool")
@pytest.mark.parametrize("name", RULE_TESTS)
def test_incidents_are_told_once(root: Path, name: str) -> None:
    promtool(root, "test", "rules", name)


class _Still:
    """A clock that stands."""

    def now_ms(self) -> int:
        return 0

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        """Not at all."""
