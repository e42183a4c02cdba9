"""The dashboard, and every query of it and of the rules, against a real Prometheus that scrapes a running relay."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from relay.adapters.observe.metrics import Labels, Metrics
from relay.simulator.traffic import traffic
from tests.deploy.monitoring import Prometheus, dashboard, metric_names, panel_queries, prometheus
from tests.deploy.test_rules import _Still
from tests.e2e.processes import Relay, Sender, free_port, playground, wait_for

EVENTS = 60


def test_panels_are_complete_and_do_not_overlap(root: Path) -> None:
    taken: dict[tuple[int, int], str] = {}
    ids = [panel["id"] for panel in dashboard(root)["panels"]]
    assert len(set(ids)) == len(ids) > 20
    for panel in dashboard(root)["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        for cell in [
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        ]:
            assert cell not in taken, f"{panel['title']} lies on {taken[cell]}"
            taken[cell] = panel["title"]
        assert panel["type"] == "row" or panel["targets"]


def test_every_source_is_the_provisioned_one(root: Path) -> None:
    [source] = yaml.safe_load((root / "deploy/grafana/provisioning/datasources/prometheus.yml").read_text())[
        "datasources"
    ]
    text = (root / "deploy/grafana/dashboards/relay.json").read_text(encoding="utf-8")
    assert set(re.findall(r'"type": "prometheus",\s*"uid": "([^"]+)"', text)) == {source["uid"]}
    [provider] = yaml.safe_load((root / "deploy/grafana/provisioning/dashboards/relay.yml").read_text())["providers"]
    compose = yaml.safe_load((root / "docker-compose.yml").read_text(encoding="utf-8"))
    mounts = [volume.split(":")[:2] for volume in compose["services"]["grafana"]["volumes"]]
    assert ["./deploy/grafana/dashboards", provider["options"]["path"]] in mounts


def test_panels_read_only_metrics_that_exist(root: Path) -> None:
    known = metric_names(Metrics(Labels(destinations=("shop",)), _Still()).render())
    for name, expr in panel_queries(root).items():
        used = set(re.findall(r"\b(?:relay|process)_\w+", expr))
        assert used, name
        assert used <= known, name


@pytest.fixture(scope="module")
def monitored(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Prometheus, Relay]]:
    """A relay that has taken in and delivered some events, watched by Prometheus with the shipped rules."""
    folder, port = tmp_path_factory.mktemp("monitored"), free_port()
    with (
        playground(folder, RELAY_METRICS_PORT=str(port)) as (relay, simulator),
        prometheus(folder, f"127.0.0.1:{port}", root / "deploy/prometheus/rules.yml") as server,
    ):
        asyncio.run(feed(relay))
        wait_for("deliveries", lambda: simulator.counted()["unique"])
        wait_for("their scrape", lambda: server.query("sum(relay_events_delivered_total) > 0"), 30)
        wait_for("one more", lambda: server.query("sum(rate(relay_events_delivered_total[10s])) > 0"), 30)
        yield server, relay


async def feed(relay: Relay) -> None:
    sender, events = Sender(relay.webhook), traffic(11, time.time_ns() // 1_000_000 - 60_000)
    async with aiohttp.ClientSession() as session:
        for _ in range(EVENTS):
            assert await sender.send(session, next(events))


@pytest.mark.needs("prometheus")
def test_every_panel_shows_something(root: Path, monitored: tuple[Prometheus, Relay]) -> None:
    server, _ = monitored
    empty = [name for name, expr in panel_queries(root).items() if not server.query(expr)]
    assert empty == []


@pytest.mark.needs("prometheus")
def test_variables_find_the_deployment_and_its_destination(root: Path, monitored: tuple[Prometheus, Relay]) -> None:
    server, _ = monitored
    for variable in dashboard(root)["templating"]["list"]:
        metric, label = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["definition"]).groups()  # type: ignore[union-attr]
        found = server.get(f"label/{label}/values", **{"match[]": metric.replace("$job", ".*")})
        assert found == {"job": ["relay"], "destination": ["tiktok"]}[variable["name"]]


@pytest.mark.needs("prometheus")
def test_every_rule_is_evaluated_and_a_healthy_relay_raises_none(monitored: tuple[Prometheus, Relay]) -> None:
    server, _ = monitored
    [group] = server.get("rules")["groups"]
    assert [rule for rule in group["rules"] if rule["health"] != "ok"] == []
    assert [rule["name"] for rule in group["rules"] if rule["type"] == "alerting" and rule["state"] == "firing"] == []


@pytest.mark.needs("prometheus")
def test_rules_see_a_running_relay(root: Path, monitored: tuple[Prometheus, Relay]) -> None:
    """Every recording rule that describes a state has a value: a misspelt label would leave it empty."""
    server, _ = monitored
    [group] = yaml.safe_load((root / "deploy/prometheus/rules.yml").read_text(encoding="utf-8"))["groups"]
    conditions = {"relay:value_at_risk", "relay:will_expire", "relay:stuck", "relay:old"}
    windows = {"relay:filtered_share_30m", "relay:filtered_share_1d"}  # need half an hour, and a day
    records = {rule["record"] for rule in group["rules"] if "record" in rule} - conditions - windows
    seen: dict[str, list[Any]] = {name: server.query(name) for name in records}
    assert {name for name, samples in seen.items() if not samples} == set()
