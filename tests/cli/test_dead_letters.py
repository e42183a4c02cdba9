from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from relay.cli.dead_letters import EXPORT_PAGE, dead_letters
from relay.core.event import DeadReason, Lane
from relay.core.notices import DeadLettersMoved
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


def test_a_bulk_release_shows_its_worth_and_asks(runner: CliRunner, backstage: Backstage) -> None:
    backstage.bury(2, DeadReason.OVERLAP)
    backstage.bury(1, DeadReason.AMBIGUOUS, first=2)
    arguments = ["requeue", "tiktok", "--all", "--accept-doubling"]
    for answer in ("n\n", ""):
        result = runner.invoke(dead_letters, arguments, input=answer)
        assert result.exit_code == 1
        assert "3 dead letters (2 overlap, 1 ambiguous), worth 37.50 EUR" in result.stderr
        assert len(backstage.ids()) == 3
    result = runner.invoke(dead_letters, [*arguments, "--reason", "ambiguous"], input="y\n")
    assert (result.exit_code, result.stdout) == (0, "1 requeued\n")
    assert runner.invoke(dead_letters, [*arguments, "--yes"]).stdout == "2 requeued\n"
    assert [(notice.action, notice.count) for notice in backstage.told if isinstance(notice, DeadLettersMoved)] == [
        ("release", 1),
        ("release", 2),
    ]


def test_a_dry_run_moves_nothing(runner: CliRunner, backstage: Backstage) -> None:
    backstage.bury(2)
    for verb in ("requeue", "discard"):
        result = runner.invoke(dead_letters, [verb, "tiktok", "--all", "--dry-run"])
        assert (result.exit_code, result.stdout) == (0, "")
        assert result.stderr == "2 dead letters (2 refused), worth 25.00 EUR\n"
        document = json.loads(runner.invoke(dead_letters, [verb, "tiktok", "--all", "--dry-run", "--json"]).stdout)
        assert document == {"moved": 2, "held_back": 0, "value": {"EUR": 25.0}, "reasons": {"refused": 2}}
    assert len(backstage.ids()) == 2


def test_letters_are_chosen_by_event_and_time_of_receipt(runner: CliRunner, backstage: Backstage) -> None:
    backstage.bury(2)
    backstage.clock.jump(3600)
    backstage.bury(3, first=2)
    discard = ["discard", "tiktok", "--all", "--yes"]
    assert runner.invoke(dead_letters, [*discard, "--event", "Signed Up"]).exit_code == 1
    assert runner.invoke(dead_letters, [*discard, "--until", "2026-02-02"]).exit_code == 1
    until = "2026-02-02T04:00+01:00"
    result = runner.invoke(dead_letters, [*discard, "--event", "Order Completed", "--until", until])
    assert result.stdout == "2 discarded\n"
    assert runner.invoke(dead_letters, [*discard, "--since", "2026-02-02T03:40"]).stdout == "3 discarded\n"
    for arguments in (["--all", "--since", "yesterday"], ["1-1", "--event", "x"], ["1-1", "--since", "2026-02-02"]):
        assert runner.invoke(dead_letters, ["discard", "tiktok", *arguments]).exit_code == 2


def test_what_dies_after_it_was_shown_is_not_moved(runner: CliRunner, backstage: Backstage) -> None:
    backstage.bury(2)
    weighed: list[Any] = []

    def meanwhile(*_: Any, **__: Any) -> None:
        backstage.clock.jump(1)
        weighed.append(backstage.bury(1, first=2))

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(click, "confirm", meanwhile)
        assert runner.invoke(dead_letters, ["discard", "tiktok", "--all"]).stdout == "2 discarded\n"
    assert len(backstage.ids()) == 1
