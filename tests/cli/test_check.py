from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from relay.cli.check import check
from relay.simulator.control import Control, updated
from relay.simulator.server import build_simulator
from tests.cli.ports import served


@pytest.fixture
def tiktok(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A simulated TikTok that knows one token, and settings that point to it."""
    control = updated(Control(), {"tokens": ["good-token"], "latency": 0})
    with served(build_simulator(control)) as port:
        for name, value in {
            "TIKTOK_BASE_URL": f"http://127.0.0.1:{port}",
            "TIKTOK_PIXEL_CODE": "C4EXAMPLE",
            "TIKTOK_ACCESS_TOKEN": "good-token",
            "SEGMENT_SHARED_SECRET": "very-secret",
            "JOURNAL__DISK_FLOOR": "1MiB",
            "JOURNAL__BALLAST": "1MiB",
        }.items():
            monkeypatch.setenv(f"RELAY_{name}", value)
        yield


def run(runner: CliRunner, *options: str) -> tuple[Result, dict[str, Any]]:
    result = runner.invoke(check, ["--json", *options])
    return result, json.loads(result.stdout) if result.stdout.startswith("{") else {}


def test_all_is_good(runner: CliRunner, tiktok: None, tmp_path: Path) -> None:
    result, document = run(runner)
    assert (result.exit_code, document["ok"], document["problems"]) == (0, True, [])
    assert document["tiktok"]["tiktok"]["good"] is True
    assert "survives a power cut" in document["store"]["durability"]
    assert "one was started for trial" in document["store"]["which"]
    assert list(tmp_path.iterdir()) == [], "a check leaves nothing behind"
    (settings,) = document["segment"]
    assert settings["batch_size"] == 1, "a signature covers the first event of a batch only"
    assert "set segment.token" in settings["note"]
    assert settings["listens_on"].endswith(":8080/webhook/segment")
    assert document["configuration"]["delivery.linger"] == {"value": "0.05", "from": "default"}
    assert document["configuration"]["destinations.0.event_source_id"]["from"] == "RELAY_TIKTOK_PIXEL_CODE"


def test_secrets_are_masked_in_both_forms(runner: CliRunner, tiktok: None) -> None:
    for output in (runner.invoke(check, ["--offline"]).output, run(runner, "--offline")[0].output):
        assert "very-secret" not in output
        assert "good-token" not in output
        assert "segment.shared_secret" in output


def test_for_people(runner: CliRunner, tiktok: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELAY_SEGMENT_TOKEN", "t")
    result = runner.invoke(check)
    assert result.exit_code == 0
    for words in (
        "Enter in Segment",
        "at most 500 events",
        "survives a power cut",
        "no complaint about the token",
        "All good",
    ):
        assert words in result.stdout


def test_a_refused_token_is_exit_1(runner: CliRunner, tiktok: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELAY_TIKTOK_ACCESS_TOKEN", "other")
    result, document = run(runner)
    assert (result.exit_code, document["ok"]) == (1, False)
    assert document["tiktok"]["tiktok"]["good"] is False
    assert "40105" in document["tiktok"]["tiktok"]["detail"]


def test_tiktok_out_of_reach_is_said_and_no_verdict(
    runner: CliRunner, tiktok: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RELAY_TIKTOK_BASE_URL", "http://127.0.0.1:9")
    result, document = run(runner)
    assert document["tiktok"]["tiktok"]["good"] is None
    assert result.exit_code == 0


def test_a_redis_that_does_not_answer_is_exit_1(
    runner: CliRunner, tiktok: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RELAY_REDIS_URL", "redis://user:hidden@127.0.0.1:9/0")
    result, document = run(runner, "--offline")
    assert result.exit_code == 1
    (finding,) = document["store"]["findings"]
    assert (finding["level"], finding["topic"]) == ("refuse", "connection")
    assert "hidden" not in result.output


def test_every_configuration_error_at_once_is_exit_2(runner: CliRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELAY_PORT", "x")
    monkeypatch.setenv("RELAY_DELIVERY__LINGR", "1")
    result = runner.invoke(check)
    assert result.exit_code == 2
    assert "intake.port" in result.stderr
    assert "delivery.lingr" in result.stderr
    assert "Traceback" not in result.output


def test_what_would_not_start_is_exit_2(runner: CliRunner) -> None:
    result = runner.invoke(check, ["--offline"])
    assert result.exit_code == 2
    assert "PROBLEM  no destination" in result.stdout
    assert "loopback only" in result.stdout


def test_which_mapping_each_destination_uses(
    runner: CliRunner, tiktok: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "mapping.json"
    mine = {"name": "Lead", "trigger": 'type = "track"', "settings": {"event": "Lead"}}
    file.write_text(json.dumps([mine, {**mine, "enabled": False}]))
    for key, value in {"NAME": "mine", "ACCESS_TOKEN": "good-token", "EVENT_SOURCE_ID": "C4", "MAPPING": file}.items():
        monkeypatch.setenv(f"RELAY_DESTINATIONS__0__{key}", str(value))
    monkeypatch.delenv("RELAY_TIKTOK_PIXEL_CODE")
    monkeypatch.delenv("RELAY_TIKTOK_ACCESS_TOKEN")
    result, document = run(runner, "--offline")
    assert result.exit_code == 0, result.output
    assert document["mappings"] == {
        "mine": {"source": str(file), "subscriptions": 1, "disabled": 1, "problems": []},
    }
    page = runner.invoke(check, ["--offline"]).stdout
    assert "1 subscription, 1 disabled" in page
    file.write_text(json.dumps([{**mine, "settings": {"event": {"@bar": 1}, "event_id": {"@path": 1}}}]))
    result, document = run(runner, "--offline")
    assert (result.exit_code, document["ok"]) == (2, False)
    (first, second) = document["mappings"]["mine"]["problems"]
    assert first == f"destinations.mine.mapping: {file}: Lead: /event has an invalid directive: @bar."
    assert document["problems"] == [first, second]
    page = runner.invoke(check, ["--offline"]).stdout
    assert "2 problems, see below" in page
    assert "/event_id/@path should be a string" in " ".join(page.split()), "wrapped, where the path is long"


def test_presets_are_named(runner: CliRunner, tiktok: None) -> None:
    _, document = run(runner, "--offline")
    assert document["mappings"]["tiktok"]["source"] == "presets of tiktok-conversions"
    assert document["mappings"]["tiktok"]["subscriptions"] == 15


def test_named_sources_have_their_own_settings(
    runner: CliRunner, tiktok: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RELAY_SEGMENT__SOURCES", '{"ios": {"token": "t-secret"}}')
    _, document = run(runner, "--offline")
    (_, named) = document["segment"]
    assert (named["source"], named["url"].rpartition("/")[2]) == ("ios", "ios")
    assert named["headers"] == {"X-Relay-Token": "the value of segment.sources.ios.token"}
    assert (named["batch_size"], named["note"]) == (500, "")
    assert "t-secret" not in json.dumps(document)


def test_a_source_that_says_little_is_told_what_holds_for_it(
    runner: CliRunner, tiktok: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RELAY_SEGMENT_SHARED_SECRET", "hush")
    monkeypatch.setenv("RELAY_INTAKE__PUBLIC_URL", "https://relay.example.com")
    monkeypatch.setenv("RELAY_SEGMENT__SOURCES", '{"web": {"write_keys": "WK_1", "destinations": "tiktok"}}')
    _, document = run(runner, "--offline")
    (common, named) = document["segment"]
    assert common["url"] == "https://relay.example.com/webhook/segment"
    assert named["shared_secret"] == common["shared_secret"] == "the value of segment.shared_secret"
    assert (named["sdk_host"], common["sdk_host"]) == ("https://relay.example.com", None)
    assert named["feeds"] == ["tiktok"]
    page = runner.invoke(check, ["--offline"]).stdout
    assert "apiHost relay.example.com/v1" in " ".join(page.split())
    assert "WK_1" not in page


def test_what_happens_when_the_store_is_full_is_said(
    runner: CliRunner, tiktok: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, document = run(runner, "--offline")
    assert document["store"]["on_full"] == "refuse"
    assert "answers 503" in document["store"]["on_full_means"]
    monkeypatch.setenv("RELAY_JOURNAL__ON_FULL", "shed")
    printed = " ".join(runner.invoke(check, ["--offline"]).stdout.split())
    assert "journal.on_full = shed: a full store gives up its oldest engagement for good, never a conversion" in printed


def test_modes_and_overlaps_are_said_in_words(runner: CliRunner, tiktok: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELAY_TIKTOK_ACCESS_TOKEN", "")
    monkeypatch.setenv("RELAY_TIKTOK_PIXEL_CODE", "")
    for number, (name, more) in enumerate(
        {
            "shop": {"MODE": "standby"},
            "app": {"EVENT_SOURCE": "app"},
            "odd": {"MODE": "standby", "ALSO_SENT_BY": "nobody"},
            "late": {"MODE": "paused"},
        }.items()
    ):
        settings = {"NAME": name, "EVENT_SOURCE_ID": f"ID{number}", "ACCESS_TOKEN": "good-token", **more}
        for key, value in settings.items():
            monkeypatch.setenv(f"RELAY_DESTINATIONS__{number}__{key}", value)
    _, document = run(runner, "--offline")
    shop, app, odd, late = document["destinations"]
    assert "none is sent until `relay failover shop --since T`; what is older than 1d" in shop["mode_means"]
    assert (shop["also_sent_by"], shop["caution"]) == ("segment", "")
    assert "received more than 1d 20h ago becomes a dead letter" in shop["overlap_means"]
    assert (app["mode"], app["also_sent_by"], app["event_source_id"]) == ("active", "nobody", "ID1")
    assert "would count twice after a failover" in odd["caution"]
    assert "`relay resume late`" in late["mode_means"]
    monkeypatch.setenv("RELAY_JOURNAL__RETENTION", "3d")
    printed = runner.invoke(check, ["--offline"]).stdout
    assert "mode = standby" in printed
    assert "longer than 1d 20h" in printed
