from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from relay.cli import main
from relay.cli.incidents import incidents, report
from relay.core.incident_log import Part
from tests.cli.ports import Backstage
from tests.core.report.outages import Outage


def happened(backstage: Backstage, *outages: Outage) -> None:
    """Let these be incidents tiktok-1, tiktok-2 and so on."""
    for number, outage in enumerate(outages, 1):
        incident, log = outage.play()
        record = replace(incident, number=number, opened_ms=incident.opened_ms + number)
        assert asyncio.run(backstage.store.incidents.save(record, 0, log))


def test_the_list(runner: CliRunner, backstage: Backstage) -> None:
    happened(backstage, Outage(6, 1200, 4), Outage(9, 50, 99))
    result = runner.invoke(incidents)
    assert result.exit_code == 0
    rows = [line.split() for line in result.stdout.splitlines() if line.startswith("tiktok-")]
    assert [(row[0], row[3]) for row in rows] == [("tiktok-2", "OPEN"), ("tiktok-1", "closed")]
    assert "gate: http_502" in result.stdout
    assert "relay report ID" in result.stdout
    document = json.loads(runner.invoke(incidents, ["--json"]).stdout)
    assert [one["id"] for one in document["incidents"]] == ["tiktok-2", "tiktok-1"]
    assert document["incidents"][1]["delivered"] > 6000


def test_a_report_in_every_format(runner: CliRunner, backstage: Backstage, tmp_path: Path) -> None:
    happened(backstage, Outage(6, 1200, 4), Outage(9, 50, 99))
    first = runner.invoke(report, ["tiktok-1"])
    assert first.exit_code == 0
    assert first.stdout.startswith("# Incident tiktok-1\n")
    assert runner.invoke(report, ["latest"]).stdout.startswith("# Incident tiktok-2\n")
    file = tmp_path / "report.html"
    written = runner.invoke(report, ["tiktok-1", "--format", "html", "--output", str(file)])
    assert written.exit_code == 0
    assert written.stdout.startswith(f"{file}: ")
    assert file.read_text(encoding="utf-8").startswith("<!doctype html>")
    document = json.loads(runner.invoke(report, ["latest", "--format", "json"]).stdout)
    assert document["id"] == "tiktok-2"
    assert document["open"]
    assert len(document["samples"]) == 9


def test_nothing_found_is_one_line_and_exit_1(runner: CliRunner, backstage: Backstage, tmp_path: Path) -> None:
    def refused(*words: str) -> str:
        result = runner.invoke(main, list(words))
        assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (1, "", 1), words
        return str(result.stderr)

    assert refused("incidents") == "Error: there were no incidents\n"
    assert refused("report", "latest") == "Error: There are no incidents.\n"
    happened(backstage, Outage(6, 1200, 4))
    for unknown in ("tiktok-9", "nowhere-1", "a/../b", ""):
        assert "There is no" in refused("report", unknown)
    assert "No such file" in refused("report", "latest", "-o", str(tmp_path / "none" / "x.md"))
    assert json.loads(runner.invoke(incidents, ["--json"]).stdout)["incidents"]


def test_wrong_use_is_exit_2(runner: CliRunner, backstage: Backstage) -> None:
    assert runner.invoke(report, []).exit_code == 2
    assert runner.invoke(report, ["latest", "--format", "pdf"]).exit_code == 2


def test_nobody_there_is_exit_3(runner: CliRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELAY_ADMIN_PORT", "9")
    monkeypatch.setenv("RELAY_ADMIN_TOKEN", "made-up")
    for words in (["incidents"], ["report", "latest"]):
        assert runner.invoke(main, words).exit_code == 3


def test_a_table_of_strange_words_stays_a_table(runner: CliRunner, backstage: Backstage) -> None:
    incident, log = Outage(3, 10, 9).play()
    log.append(Part("x", incident.opened_ms, 1, sold={"\x1b[31mred\n": {"USD": (1, 1)}}))
    asyncio.run(backstage.store.incidents.save(replace(incident, reason="\x1b[31mred"), 0, log))
    assert "\x1b" not in runner.invoke(incidents).stdout
