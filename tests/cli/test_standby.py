from __future__ import annotations

import asyncio
import json

import pytest
from click.testing import CliRunner

from relay.cli.standby import failback, failover
from relay.cli.status import state, status
from relay.core.delivery.mode import ModeRecord
from relay.core.notices import FailbackStarted, FailoverStarted
from tests.cli.ports import Backstage


def test_over_and_back(runner: CliRunner, backstage: Backstage) -> None:
    asyncio.run(backstage.standby.declare())
    over = runner.invoke(failover, ["tiktok", "--since", "40m"])
    assert over.exit_code == 0
    assert over.stdout == (
        "tiktok: sends everything received since 2026-02-02T02:00:00.000Z; end it with `relay failback tiktok`\n"
    )
    assert runner.invoke(failover, ["tiktok", "--since", "10m"]).stdout.endswith(
        "`relay failback tiktok` (as before)\n"
    )
    back = runner.invoke(failback, ["tiktok"])
    assert "finishes what it received until 2026-02-02T02:40:00.000Z, then stands by" in back.stdout
    assert '"mode": "failback"' in runner.invoke(failback, ["tiktok", "--json"]).stdout
    assert [type(notice) for notice in backstage.told] == [FailoverStarted, FailbackStarted]


def test_who_stands_by_has_nothing_to_finish(runner: CliRunner, backstage: Backstage) -> None:
    asyncio.run(backstage.standby.declare())
    assert runner.invoke(failback, ["tiktok"]).stdout == "tiktok: stands by; there is nothing to finish\n"


@pytest.mark.parametrize("since", ["soon", "40 minutes", "2999-01-01", "-5m", "2026-13-01T00:00:00Z", "999999999d"])
def test_no_moment_is_one_clear_line(runner: CliRunner, backstage: Backstage, since: str) -> None:
    asyncio.run(backstage.standby.declare())
    result = runner.invoke(failover, ["tiktok", "--since", since])
    assert result.exit_code == 1
    assert result.stderr.startswith(("Error: since is no moment: give", "Error: since is in the future"))
    assert len(result.stderr.splitlines()) == 1


def test_who_is_active_has_nothing_to_take_over(runner: CliRunner, backstage: Backstage) -> None:
    asyncio.run(backstage.store.modes.save("tiktok", ModeRecord(), 0))
    for command in ([failover, "tiktok", "--since", "5m"], [failback, "tiktok"]):
        result = runner.invoke(command[0], command[1:])  # type: ignore[arg-type]
        assert result.exit_code == 1
        assert 'only one with mode = "standby" can' in result.stderr
    assert runner.invoke(failover, ["nobody", "--since", "5m"]).exit_code == 1
    assert runner.invoke(failover, ["tiktok"]).exit_code == 2


def test_status_says_who_stands_by(runner: CliRunner, backstage: Backstage) -> None:
    backstage.owe(3)
    asyncio.run(backstage.standby.declare())
    backstage.clock.jump(90)
    assert "standby (reaches back 1m 30s)" in runner.invoke(status).stdout
    runner.invoke(failover, ["tiktok", "--since", "2026-02-02T00:00:00"])
    assert "open, failing over since 2026-02-02T00:00:00.000Z" in runner.invoke(status).stdout
    runner.invoke(failback, ["tiktok"])
    assert "open, failing back, 3 left" in runner.invoke(status).stdout
    [part] = json.loads(runner.invoke(status, ["--json"]).stdout)["destinations"]
    assert (part["mode"], part["left"], part["standing_by"], part["until"]) == (
        "failback",
        3,
        0,
        "2026-02-02T02:41:30.000Z",
    )
    assert state({"gate": "closed", "mode": "active"}) == "closed"
