from __future__ import annotations

import asyncio
import json
from pathlib import Path

from click.testing import CliRunner

from relay.cli.dead_letters import EXPORT_PAGE, dead_letters
from relay.core.event import DeadReason, Lane
from tests.cli.ports import PURCHASES, Backstage


def test_list(runner: CliRunner, backstage: Backstage) -> None:
    ids = backstage.bury(3)
    result = runner.invoke(dead_letters, ["list", "tiktok", "--limit", "2"])
    assert result.exit_code == 0
    assert ids[0] in result.stdout
    assert "40002: bad \\x1b[31mvalue" in result.stdout, "what TikTok wrote does not colour a terminal"
    assert f"relay dead-letters list tiktok --after {ids[1]}" in result.stdout
    page = json.loads(runner.invoke(dead_letters, ["list", "tiktok", "--json", "--after", ids[1]]).stdout)
    assert [letter["id"] for letter in page["letters"]] == ids[2:]


def test_list_without_a_destination_counts(runner: CliRunner, backstage: Backstage) -> None:
    empty = runner.invoke(dead_letters, ["list"])
    assert (empty.exit_code, empty.stderr) == (1, "Error: there are no dead letters\n")
    backstage.bury(2)
    assert json.loads(runner.invoke(dead_letters, ["list", "--json"]).stdout) == {"tiktok": 2, "-": 0}
    assert "tiktok" in runner.invoke(dead_letters, ["list"]).stdout


def test_nothing_found_is_one_line_and_exit_1(runner: CliRunner, backstage: Backstage) -> None:
    for arguments in (
        ["list", "tiktok"],
        ["list", "tiktok", "--reason", "expired"],
        ["list", "nowhere"],
        ["list", "tiktok", "--reason", "silly"],
        ["show", "tiktok", "1-1"],
        ["show", "tiktok", "x"],
        ["requeue", "tiktok", "1-1"],
        ["requeue", "tiktok", "--all"],
        ["discard", "tiktok", "1-1", "--yes"],
        ["export", "tiktok"],
    ):
        result = runner.invoke(dead_letters, arguments)
        assert (result.exit_code, result.stderr.count("\n")) == (1, 1), arguments
        assert result.stdout == ""


def test_wrong_use_is_exit_2(runner: CliRunner, backstage: Backstage) -> None:
    for arguments in (
        ["requeue", "tiktok"],
        ["requeue", "tiktok", "1-1", "--all"],
        ["requeue", "tiktok", "1-1", "--reason", "refused"],
        ["list", "tiktok", "--limit", "0"],
    ):
        assert runner.invoke(dead_letters, arguments).exit_code == 2, arguments


def test_show(runner: CliRunner, backstage: Backstage) -> None:
    (letter_id,) = backstage.bury(1)
    letter = json.loads(runner.invoke(dead_letters, ["show", "tiktok", letter_id]).stdout)
    assert letter["raw"]["messageId"] == "m0"


def test_requeue(runner: CliRunner, backstage: Backstage) -> None:
    ids = backstage.bury(3)
    assert runner.invoke(dead_letters, ["requeue", "tiktok", ids[0]]).stdout == "1 requeued\n"
    assert json.loads(runner.invoke(dead_letters, ["requeue", "tiktok", "--all", "--json"]).stdout) == {
        "moved": 2,
        "held_back": 0,
        "value": {"EUR": 25.0},
        "reasons": {"refused": 2},
    }
    assert backstage.ids() == []


def test_what_tiktok_may_have_needs_a_second_word(runner: CliRunner, backstage: Backstage) -> None:
    (letter_id,) = backstage.bury(1, DeadReason.OVERLAP)
    for arguments in ([letter_id], ["--all"]):
        result = runner.invoke(dead_letters, ["requeue", "tiktok", *arguments])
        assert result.exit_code == 1
        assert "count them again" in result.output
    result = runner.invoke(dead_letters, ["requeue", "tiktok", letter_id, "--accept-doubling"])
    assert (result.exit_code, result.stdout) == (0, "1 requeued\n")
    claimed = asyncio.run(backstage.store.owed.claim(PURCHASES, Lane.LIVE, 1, 10**9))
    assert claimed is not None
    assert claimed.entries[0].released


def test_discard_asks(runner: CliRunner, backstage: Backstage) -> None:
    ids = backstage.bury(3)
    assert runner.invoke(dead_letters, ["discard", "tiktok", ids[0]], input="n\n").exit_code == 1
    assert len(backstage.ids()) == 3
    assert runner.invoke(dead_letters, ["discard", "tiktok", ids[0]], input="y\n").exit_code == 0
    assert runner.invoke(dead_letters, ["discard", "tiktok", "--all", "--reason", "refused", "--yes"]).exit_code == 0
    assert backstage.ids() == []


def test_export_goes_over_pages(runner: CliRunner, backstage: Backstage, tmp_path: Path) -> None:
    count = EXPORT_PAGE + 3
    backstage.bury(count)
    result = runner.invoke(dead_letters, ["export", "tiktok"])
    letters = [json.loads(line) for line in result.stdout.splitlines()]
    assert [letter["message_id"] for letter in letters] == [f"m{number}" for number in range(count)]
    assert result.stderr == f"{count} dead letters exported\n"
    file = tmp_path / "out.jsonl"
    runner.invoke(dead_letters, ["export", "tiktok", "--events-only", "-o", str(file)])
    events = [json.loads(line) for line in file.read_text().splitlines()]
    assert events[0] == {"type": "track", "event": "Order Completed", "messageId": "m0"}
