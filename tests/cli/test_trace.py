from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from relay.cli.trace import LONGEST_ID, trace
from relay.core.event import DeadReason
from relay.engine.hunt import Wanted
from tests.cli.ports import Backstage


def test_an_owed_event(runner: CliRunner, backstage: Backstage) -> None:
    backstage.owe(3)
    result = runner.invoke(trace, ["m2"])
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == "tiktok: owed, live conversion; 2 of its class are before it"
    assert "worth 12.50 EUR, conversion" in lines[1]
    assert lines[2] == "  no call that carried it is in the log"
    assert lines[3].startswith("  next: ")
    assert lines[4].startswith("searched 3 owed entries and 0 dead letters in ")


def test_a_dead_letter_and_the_call_it_died_of(runner: CliRunner, backstage: Backstage) -> None:
    (letter_id,) = backstage.bury(1, DeadReason.OVERLAP)
    result = runner.invoke(trace, ["m0"])
    assert result.exit_code == 0
    assert "bad \\x1b[31mvalue" in result.stdout, "what TikTok wrote does not colour a terminal"
    assert "split (40002), 1 items, request R\\x1b, log L" in result.stdout
    assert f"waits for `relay dead-letters requeue tiktok {letter_id} --accept-doubling`" in result.stdout


def test_as_json(runner: CliRunner, backstage: Backstage) -> None:
    backstage.bury(1)
    document = json.loads(
        runner.invoke(
            trace, ["m0", "--json", "--destination", "tiktok", "--seconds", "3", "--since", "1970-01-02"]
        ).stdout
    )
    assert document["destinations"][0]["dead_letter"]["reason"] == "refused"
    assert backstage.asked == [(Wanted("m0", 3.0, 86_400_000), "tiktok")]


def test_an_unknown_id_is_one_line_and_exit_1(runner: CliRunner, backstage: Backstage) -> None:
    result = runner.invoke(trace, ["nowhere\x1b"])
    assert (result.exit_code, result.stderr) == (1, "Error: nothing is known of nowhere\\x1b\n")
    assert "never accepted here" in result.stdout
    result = runner.invoke(trace, ["nowhere", "--json"])
    assert (result.exit_code, json.loads(result.stdout)["seen"]) == (1, False)
    assert runner.invoke(trace, ["m", "--destination", "other"]).exit_code == 1


@pytest.mark.parametrize("message_id", ["", "x" * (LONGEST_ID + 1), "\udcff"])
def test_what_is_no_id_is_wrong_use(runner: CliRunner, backstage: Backstage, message_id: str) -> None:
    assert runner.invoke(trace, [message_id]).exit_code == 2
    assert backstage.asked == []


@pytest.mark.parametrize("message_id", ["a/b?c#d", "..", "%2F", "ü\u202e", "x" * LONGEST_ID, "-- "])
def test_hostile_ids_arrive_as_they_are(runner: CliRunner, backstage: Backstage, message_id: str) -> None:
    assert runner.invoke(trace, ["--", message_id]).exit_code == 1
    assert [asked[0].message_id for asked in backstage.asked] == [message_id]
