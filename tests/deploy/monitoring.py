"""A real Prometheus against a metrics page, and what the dashboard asks of it."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.e2e.processes import free_port, wait_for

# Grafana replaces these itself; a scrape a second makes 10 s a wide enough window here.
VARIABLES = {"$job": ".*", "$destination": ".*", "$__rate_interval": "10s"}


def metric_names(page: bytes) -> set[str]:
    """Names of all samples a metrics page may have: a series whose labels are still unknown has a TYPE line only."""
    text = page.decode()
    counters = {f"{name}_total" for name in re.findall(r"# TYPE (\w+) counter", text)}
    return set(re.findall(r"(?m)^([a-z]\w*)", text)) | set(re.findall(r"# TYPE (\w+)", text)) | counters


def dashboard(root: Path) -> dict[str, Any]:
    """The one dashboard."""
    found: dict[str, Any] = json.loads((root / "deploy/grafana/dashboards/relay.json").read_text(encoding="utf-8"))
    return found


def panel_queries(root: Path) -> dict[str, str]:
    """``"Panel A" → PromQL`` with Grafana's variables filled in."""
    return {
        f"{panel['title']} {target['refId']}": filled(target["expr"])
        for panel in dashboard(root)["panels"]
        for target in panel.get("targets", [])
    }


def filled(expr: str) -> str:
    """PromQL as Prometheus gets it from Grafana."""
    for name, value in VARIABLES.items():
        expr = expr.replace(name, value)
    return expr


@dataclass(frozen=True)
class Prometheus:
    """A server to ask."""

    url: str

    def get(self, path: str, **arguments: str) -> Any:
        """The ``data`` of an API answer; raises urllib's HTTPError for a query that it cannot read."""
        with urllib.request.urlopen(
            f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(arguments)}", timeout=10
        ) as answer:
            return json.loads(answer.read())["data"]

    def query(self, expr: str) -> list[Any]:
        """Samples of an instant query; a scalar counts as one."""
        data = self.get("query", query=expr)
        return [data["result"]] if data["resultType"] == "scalar" else list(data["result"])


@contextlib.contextmanager
def prometheus(folder: Path, target: str, rules: Path) -> Iterator[Prometheus]:
    """Scrape ``target`` (host:port) and evaluate ``rules`` every second; ready when three scrapes are in."""
    job = {"job_name": "relay", "static_configs": [{"targets": [target]}]}
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(rules)],
        "scrape_configs": [job],
    }
    file, port = folder / "prometheus.yml", free_port()
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    command = [
        "prometheus",
        f"--config.file={file}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=error",
    ]
    child = subprocess.Popen(command, start_new_session=True)
    server = Prometheus(f"http://127.0.0.1:{port}")
    try:
        wait_for("three scrapes", lambda: server.query('sum_over_time(up{job="relay"}[1m]) >= 3'), 30)
        wait_for("rules", lambda: server.query("relay:store_down"), 30)
        yield server
    finally:
        child.terminate()
        child.wait(20)
