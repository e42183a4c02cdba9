"""``relay send`` of folders: dry run, question, journal, Ctrl-C."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web
from click.testing import CliRunner, Result

from relay.cli import backfill, foreseeing, sending
from relay.cli import send as send_module
from relay.cli.send import send
from tests.cli.ports import Backstage, served


@pytest.fixture
def folder(tmp_path: Path) -> str:
    for part in range(4):
        path = tmp_path / "events" / f"{part}.jsonl"
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join(f'{{"type":"track","messageId":"{part}-{n}"}}\n' for n in range(50)))
    (tmp_path / "events" / "notes.txt").write_text("x")
    return str(tmp_path / "events")


class Door:
    """An intake port that interrupts the command at its ``at``-th request, or refuses from ``full`` on."""

    def __init__(self, at: int = 0, full: int = 0) -> None:
        self.at, self.full, self.heard = at, full, 0
        self.ids: list[str] = []
        self.app = web.Application()
        self.app.router.add_post("/webhook/segment", self.hear)

    async def hear(self, request: web.Request) -> web.Response:
        self.heard += 1
        if self.heard == self.at:
            os.kill(os.getpid(), signal.SIGINT)
        if self.full and self.heard >= self.full:
            return web.json_response({"code": "journal_full"}, status=503, headers={"Retry-After": "30"})
        events = json.loads(await request.read())
        self.ids += [event["messageId"] for event in (events if isinstance(events, list) else [events])]
        return web.json_response({"success": True})


def invoke(runner: CliRunner, door: Door, *words: str) -> Result:
    with served(door.app) as port:
        # Each time it is another port: what makes it the same command is told by a journal of one name.
        url = f"http://127.0.0.1:{port}/webhook/segment"
        return runner.invoke(send, [*words, "--url", url])


@pytest.fixture
def same_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """Test ports differ from call to call; the command counts as the same one."""
    monkeypatch.setattr(send_module, "key_of", lambda *_: "same")


def journals(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "state").rglob("*.jsonl"))


@pytest.mark.usefixtures("same_command")
def test_ctrl_c_stops_in_good_order_and_the_same_command_goes_on(
    runner: CliRunner, folder: str, tmp_path: Path
) -> None:
    first, second = Door(at=5), Door()
    stopped = invoke(runner, first, folder, "--batch", "4")
    assert stopped.exit_code == 1
    assert "interrupted after" in stopped.stderr
    (path,) = journals(tmp_path)
    assert str(path) in stopped.stderr
    assert 0 < len(first.ids) < 200
    gone_on = invoke(runner, second, folder, "--batch", "3", "--json")
    assert gone_on.exit_code == 0, gone_on.output
    assert sorted(first.ids + second.ids) == sorted({*first.ids, *second.ids}), "nothing twice"
    assert len(first.ids) + len(second.ids) == 200
    report = json.loads(gone_on.stdout)
    assert (report["earlier"], report["events"], report["interrupted"]) == (len(first.ids), len(second.ids), False)
    assert "going on where it was" in gone_on.stderr
    assert journals(tmp_path) == []
    anew = Door()
    assert invoke(runner, anew, folder).exit_code == 0
    assert len(anew.ids) == 200, "a finished command begins anew"


@pytest.mark.usefixtures("same_command")
def test_restart_begins_anew(runner: CliRunner, folder: str) -> None:
    invoke(runner, Door(at=3), folder)
    anew = Door()
    assert invoke(runner, anew, folder, "--restart").exit_code == 0
    assert len(anew.ids) == 200


@pytest.mark.usefixtures("same_command")
def test_what_was_refused_is_left_for_another_try(runner: CliRunner, folder: str, tmp_path: Path) -> None:
    full, second = Door(full=2), Door()
    refused = invoke(runner, full, folder, "--batch", "50", "--retry-for", "0")
    assert refused.exit_code == 1
    assert "150 events were not accepted; the same command sends only those" in refused.stderr
    assert invoke(runner, second, folder).exit_code == 0
    assert (len(full.ids), len(second.ids)) == (50, 150)
    assert not set(full.ids) & set(second.ids)
    assert journals(tmp_path) == []


@pytest.mark.usefixtures("same_command")
def test_a_stop_does_not_wait_for_ever_for_an_answer(
    runner: CliRunner, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "LAST_ANSWERS", 0.1)
    door = Door(at=2, full=1)
    stopped = invoke(runner, door, folder)
    assert stopped.exit_code == 1
    assert "interrupted after 0 events" in stopped.stderr
    assert door.ids == []


def test_the_journal_may_lie_elsewhere(runner: CliRunner, folder: str, tmp_path: Path) -> None:
    path = tmp_path / "mine"
    stopped = invoke(runner, Door(at=3), folder, "--journal", str(path))
    assert str(path) in stopped.stderr
    assert path.is_file()
    other = invoke(runner, Door(), folder, "--journal", str(path))
    assert "journal of another command" in other.stderr, "another port is another target"
    nowhere = invoke(runner, Door(), folder, "--journal", str(tmp_path / "events" / "notes.txt" / "x"))
    assert "no journal can be kept there" in nowhere.stderr


def test_without_a_place_for_a_journal_it_is_sent_all_the_same(
    runner: CliRunner, folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", f"{folder}/notes.txt")
    sent = invoke(runner, Door(), folder)
    assert sent.exit_code == 0
    assert "no journal can be kept" in sent.stderr
    plain = invoke(runner, Door(), f"{folder}/1.jsonl")
    assert plain.stderr == "", "nobody asked for one"
    stopped = invoke(runner, Door(at=3), folder)
    assert "begins anew" in stopped.stderr


def test_skipped_files_are_named_and_broken_lines_are_no_success(runner: CliRunner, folder: str) -> None:
    (Path(folder) / "1.jsonl").write_text('{"type":"track","messageId":"good"}\n{"torn":\n')
    door = Door()
    sent = invoke(runner, door, folder)
    assert sent.exit_code == 1
    assert len(door.ids) == 151
    assert "notes.txt" in sent.stderr
    assert "1.jsonl: line 2 is not a JSON object" in sent.stderr
    assert "everything else was sent" in sent.stderr


def test_no_file_of_events(runner: CliRunner, tmp_path: Path) -> None:
    (tmp_path / "events").mkdir()
    (tmp_path / "events" / "notes.txt").write_text("x")
    found = invoke(runner, Door(), str(tmp_path / "events"))
    assert found.exit_code == 1
    assert "no file of events" in found.stderr
    assert "notes.txt" in found.stderr


def test_a_window_without_events(runner: CliRunner, folder: str) -> None:
    found = invoke(runner, Door(), folder, "--since", "2026-01-31", "--until", "2026-02-01T12:00")
    assert found.exit_code == 1
    assert "no event in it of that time" in found.stderr


def test_a_dry_run_sends_nothing(runner: CliRunner, folder: str, backstage: Backstage) -> None:
    shown = runner.invoke(send, [folder, "--dry-run", "--rate", "10"])
    assert shown.exit_code == 0, shown.output
    assert backstage.received == []
    assert sum(len(json.loads(body)) for body in backstage.judged) == 200
    for words in (
        "200 events in 4 files",
        "notes.txt",
        "199  1.50 EUR  would be sent",
        "44 hours ago",
        "no_subscription",
        "that takes 20s",
        "Nothing was sent.",
    ):
        assert words in shown.stdout
    document = json.loads(runner.invoke(send, [folder, "--dry-run", "--json"]).stdout)
    assert document["destinations"]["tiktok"]["sendable"] == {"entries": 199, "value": {"EUR": 1.5}}
    assert (document["events"], document["filtered"], document["seconds"]) == (200, {"no_subscription": 1}, None)


def test_a_dry_run_of_a_webhook_only_counts(runner: CliRunner, folder: str) -> None:
    shown = runner.invoke(send, [folder, "--dry-run", "--url", "http://127.0.0.1:9/webhook/segment"])
    assert shown.exit_code == 0, shown.output
    assert "200 events in 4 files" in shown.stdout
    assert "only counted" in shown.stdout


def test_an_older_relay_knows_no_dry_run(runner: CliRunner, folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def took(_: web.Request) -> web.Response:
        return web.json_response({"success": True, "accepted": 1})

    app = web.Application()
    app.router.add_post("/api/events", took)
    with served(app) as port:
        monkeypatch.setenv("RELAY_ADMIN_PORT", str(port))
        monkeypatch.setenv("RELAY_ADMIN_TOKEN", "made-up")
        shown = runner.invoke(send, [folder, "--dry-run"])
    assert shown.exit_code == 1
    assert "does not know dry runs" in shown.stderr


class Terminal:
    """``sys`` as modules see it when somebody sits there."""

    def __init__(self) -> None:
        self.stdin = SimpleNamespace(isatty=lambda: True)

    def __getattr__(self, name: str) -> Any:
        if name == "stderr":
            return SimpleNamespace(isatty=lambda: True, write=sys.stderr.write, flush=sys.stderr.flush)
        return getattr(sys, name)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (send_module, foreseeing):
        monkeypatch.setattr(module, "sys", Terminal())


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize(("said", "sent"), [("y\n", 200), ("n\n", 0)])
def test_on_a_terminal_a_folder_is_asked_about(
    runner: CliRunner, folder: str, backstage: Backstage, said: str, sent: int
) -> None:
    asked = runner.invoke(send, [folder], input=said)
    assert "200 events in 4 files" in asked.stderr
    assert "199  1.50 EUR  would be sent" in asked.stderr
    assert "Send them?" in asked.stderr
    assert sum(len(json.loads(body)) for body in backstage.received) == sent
    assert asked.exit_code == (0 if sent else 1)


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("words", [["--yes"], ["--json"], ["1.jsonl"]])
def test_nobody_is_asked_who_said_yes_or_sends_a_file(
    runner: CliRunner, folder: str, backstage: Backstage, words: list[str]
) -> None:
    names = [f"{folder}/{word}" if "." in word else folder for word in words]
    sent = runner.invoke(send, [*names, *(word for word in words if word.startswith("--"))])
    assert sent.exit_code == 0, sent.output
    assert "Send them?" not in sent.output
    assert backstage.judged == []
    assert backstage.received


@pytest.mark.usefixtures("terminal")
def test_a_large_folder_is_judged_by_a_sample(runner: CliRunner, folder: str, backstage: Backstage) -> None:
    line = '{"type":"track","messageId":"%d"}\n'
    (Path(folder) / "0.jsonl").write_text("".join(line % n for n in range(50_000)))
    asked = runner.invoke(send, [folder], input="n\n")
    assert sum(len(json.loads(body)) for body in backstage.judged) < 1_000
    about = re.match(r"~(\d+),\d{3} events in 4 files", asked.stderr)
    assert about
    assert 40 <= int(about[1]) <= 60
    assert "--dry-run reads everything" in asked.stderr


def test_receipts_of_the_admin_port_are_shown(runner: CliRunner, folder: str, backstage: Backstage) -> None:
    sent = runner.invoke(send, [folder])
    assert "of these: 1 new" in sent.stdout
    assert json.loads(runner.invoke(send, [folder, "--json"]).stdout)["receipts"] == {"accepted": 1}
    assert backfill.RECEIPTS.keys() >= {"accepted", "duplicate"}
