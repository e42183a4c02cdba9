"""``relay drill`` as a command: what it plays, prints and answers with. The plays themselves: ``test_drill.py``."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from relay.cli import drill, main
from relay.cli.client import Failed
from relay.cli.drilling.plan import Plan
from relay.cli.drilling.reporting import written
from relay.cli.drilling.scenarios import SCENARIOS
from tests.cli.drilling.test_view import LEDGER


class Stand:
    """Takes the place of a play."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Plan, Path | None]] = []
        self.unclean = ""

    async def perform(self, name: str, plan: Plan, order: drill.Order, _console: object) -> drill.Performed:
        self.asked.append((name, plan, order.report))
        return replace(LEDGER, lost=int(name == self.unclean)), []


@pytest.fixture
def stand(monkeypatch: pytest.MonkeyPatch) -> Stand:
    found = Stand()
    monkeypatch.setattr(drill, "perform", found.perform)
    return found


def run(*words: str) -> Any:
    return CliRunner().invoke(main, ["drill", *words])


def test_the_outage_is_what_is_played_unless_another_is_asked_for(stand: Stand) -> None:
    done = run()
    assert done.exit_code == 0
    assert "clean: nothing lost" in done.output
    [(name, plan, report)] = stand.asked
    assert (name, plan.seconds, plan.trouble, report) == ("outage", 30.0, 12.0, None)


def test_all_are_played_in_order_each_with_a_folder_of_its_own(stand: Stand) -> None:
    done = run("--scenario", "all", "--json", "--report", "here", "--trouble", "3")
    assert done.exit_code == 0
    assert [name for name, _, _ in stand.asked] == list(SCENARIOS)
    assert {plan.trouble for _, plan, _ in stand.asked} == {3.0}
    assert [report for _, _, report in stand.asked] == [Path("here") / name for name in SCENARIOS]
    assert set(json.loads(done.stdout)) == set(SCENARIOS)


def test_one_that_is_not_clean_is_enough_to_fail(stand: Stand) -> None:
    stand.unclean = "crash"
    assert run("--scenario", "all").exit_code == 1
    done = run("--scenario", "crash", "--json")
    assert (done.exit_code, json.loads(done.stdout)["lost"]) == (1, 1)


def test_no_incident_no_report(stand: Stand) -> None:
    assert "no report: there was no incident" in run("--scenario", "poison", "--report", "here").output


def test_however_many_tasks_fail_it_is_one_line(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> drill.Performed:
        raise BaseExceptionGroup("all of them", [Failed("the relay does not pause"), Failed("nor resume")])

    monkeypatch.setattr(drill, "perform", fail)
    done = run()
    assert (done.exit_code, done.output) == (1, "Error: the relay does not pause\n")


def test_a_scenario_nobody_knows_is_a_usage_error(stand: Stand) -> None:
    assert run("--scenario", "flood").exit_code == 2
    assert not stand.asked


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr("relay.cli.drilling.reporting.RENDERINGS", {"html": str, "md": str})
    with pytest.raises(Failed, match="file"):
        written({}, tmp_path / "file" / "folder")
