from __future__ import annotations

import asyncio
import json
import threading
import time

import pytest
from click.testing import CliRunner, Result

from relay.cli.client import Failed, ask
from relay.cli.replay import line_of, replay
from relay.cli.status import status
from relay.core.event import JsonObject
from relay.core.notices import ReplayEnded, ReplayStarted
from tests.cli.ports import TOKEN, Backstage, served

WINDOW = "received from 2026-02-02T00:40:00.000Z until 2026-02-02T02:40:00.000Z"


def run(runner: CliRunner, *words: str, answer: str = "") -> Result:
    return runner.invoke(replay, list(words), input=answer)


def archive(backstage: Backstage, count: int = 3) -> None:
    backstage.clock.jump(-60)
    backstage.deliver(count)
    backstage.clock.jump(60)


def begun(backstage: Backstage) -> bool:
    return any(isinstance(notice, ReplayStarted) for notice in backstage.told)


def job(runner: CliRunner) -> JsonObject:
    found: JsonObject = json.loads(run(runner, "status", "--json").stdout)["replay"]
    return found


def test_a_dry_run_says_what_it_comes_to(runner: CliRunner, backstage: Backstage) -> None:
    archive(backstage)
    done = run(runner, "--since", "-2h", "--dry-run")
    assert done.exit_code == 0
    *lines, last = done.stdout.splitlines()
    assert last.startswith("the archive begins at 2026-02-02T02:39:00.00")
    assert lines == [
        f"{WINDOW}: 3 to send again",
        "  tiktok: 3, worth 37.50 EUR",
        "it takes about 1.0s at 500 a second",
        "TikTok's own deduplication removes what it counted less than 48 h ago",
    ]
    document = json.loads(run(runner, "--since", "2h", "--dry-run", "--json").stdout)
    assert (document["entries"], document["value"], document["complete"]) == (3, {"EUR": 37.5}, True)
    assert job(runner) is None, "nothing has begun"


def test_it_asks_before_it_begins(runner: CliRunner, backstage: Backstage) -> None:
    archive(backstage)
    no = run(runner, "--since", "2h", answer="n\n")
    assert no.exit_code == 1
    assert "Send them again?" in no.stderr
    assert not begun(backstage)
    yes = run(runner, "--since", "2h", "--no-watch", answer="y\n")
    assert yes.exit_code == 0
    assert "has begun; it goes on in the relay: `relay replay status` watches it" in yes.stdout
    assert begun(backstage)
    assert job(runner)["expected"] == 3
    assert run(runner, "--since", "2h", "--yes").stderr.endswith("A replay is under way; wait for it, or cancel it.\n")


def test_what_the_clocks_stop_is_said_and_not_sent(runner: CliRunner, backstage: Backstage) -> None:
    archive(backstage)
    backstage.clock.jump(45 * 3600)
    done = run(runner, "--since", "3d", "--yes")
    assert done.exit_code == 1
    assert "stays where it is: 3, TikTok may have it since more than 44 h" in done.stdout
    assert "there is nothing to send again" in done.stderr


def test_it_is_watched_to_its_end(runner: CliRunner, backstage: Backstage) -> None:
    archive(backstage)
    worker = threading.Thread(target=work_soon, args=(backstage,))
    worker.start()
    done = run(runner, "--since", "2h", "--yes")
    worker.join(10)
    assert done.exit_code == 0
    assert done.stdout.splitlines()[-1].endswith(": done, 3 of about 3 owed again")
    assert any(isinstance(notice, ReplayEnded) for notice in backstage.told)
    assert "done, 3 of about 3 owed again" in run(runner, "status").stdout
    assert "archive: 0 events" in run(runner, "status").stdout


def work_soon(backstage: Backstage) -> None:
    until = time.monotonic() + 10
    while time.monotonic() < until and not begun(backstage):
        time.sleep(0.02)
    backstage.replay(5)


def test_pause_resume_cancel_and_the_status(runner: CliRunner, backstage: Backstage) -> None:
    archive(backstage)
    assert run(runner, "pause").stderr == "Error: There is no replay.\n"
    assert run(runner, "status").stderr == "Error: there was no replay yet\n"
    run(runner, "--since", "2h", "--yes", "--no-watch")
    assert "paused; 0 of about 3 owed again" in run(runner, "pause").stdout
    assert "paused (as before)" in run(runner, "pause").stdout
    assert ": paused, 0 of about 3 owed again" in runner.invoke(status).stdout
    assert "WAITING: a relay to work on it" in run(runner, "resume").stdout
    backstage.gate = "open"
    backstage.owe(1, first=100)  # what the gate can probe with: nothing archived is needed for that
    backstage.replay(3)
    assert "WAITING" in run(runner, "status").stdout
    assert '"changed": true' in run(runner, "cancel", "--json").stdout
    followed = run(runner, "status", "--watch")
    assert followed.exit_code == 1
    assert "the replay was cancelled" in followed.stderr
    assert run(runner, "resume").stderr == "Error: The replay is cancelled already.\n"
    assert "replay" not in runner.invoke(status).stdout
    assert len(asyncio.run(backstage.store.archive.page(next(iter(backstage.store.state.archive))))) == 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--since", "soon"), "since is no moment"),
        (("--since", "2h", "--until", "3h"), "since must be before until"),
        (("--since", "2h", "--until", "whenever"), "until is no moment"),
        (("--since", "2999-01-01"), "is in the future"),
        (("--since", "2h", "--destination", "shop"), "There is no destination of that name; there are: tiktok"),
        (("--since", "2h", "--event", "Nothing Like That"), "there is nothing to send again"),
    ],
)
def test_what_cannot_be_is_one_clear_line(
    runner: CliRunner, backstage: Backstage, words: tuple[str, ...], said: str
) -> None:
    archive(backstage)
    done = run(runner, *words)
    assert done.exit_code == 1
    assert said in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("words", [(), ("--until", "2h"), ("--since", "2h", "--rate", "0"), ("--since", "2h", "x")])
def test_usage(runner: CliRunner, backstage: Backstage, words: tuple[str, ...]) -> None:
    assert run(runner, *words).exit_code == 2


def test_without_an_archive_it_says_what_to_configure(runner: CliRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    backstage = Backstage(archives=False)
    with served(backstage.app) as port:
        monkeypatch.setenv("RELAY_ADMIN_PORT", str(port))
        monkeypatch.setenv("RELAY_ADMIN_TOKEN", TOKEN)
        refused = run(runner, "--since", "2h")
        assert refused.exit_code == 1
        assert "set journal.archive = true (RELAY_JOURNAL__ARCHIVE=true)" in refused.stderr
        backstage.bury(2)
        backstage.clock.jump(1)
        found = run(runner, "--since", "2h", "--dead-letters", "--dry-run")
        assert "2 to send again" in found.stdout
        assert "only dead letters: nothing is archived here" in found.stdout


def test_what_is_in_an_archive_that_was_switched_off_can_be_sent_again(
    runner: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    backstage = Backstage(archives=False)
    backstage.store.state.archives = True
    archive(backstage)
    backstage.store.state.archives = False
    with served(backstage.app) as port:
        monkeypatch.setenv("RELAY_ADMIN_PORT", str(port))
        monkeypatch.setenv("RELAY_ADMIN_TOKEN", TOKEN)
        for words in ((), ("--dead-letters",)):
            found = run(runner, "--since", "2h", "--dry-run", *words)
            assert "3 to send again" in found.stdout
            assert "nothing is added to it any more (journal.archive = false)" in found.stdout
            assert "only dead letters" not in found.stdout


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"since": 5},
        {"since": "2h", "rate": 0},
        {"since": "2h", "rate": 10**6},
        {"since": "2h", "rate": "fast"},
        {"since": "2h", "seconds": 500},
        {"since": "2h", "expected": -1},
        {"since": "2h", "what": 1},
        {"since": "2h", "destination": ["tiktok"]},
        {"since": ""},
        {"since": "\ud800"},
    ],
)
def test_hostile_bodies_begin_nothing(backstage: Backstage, runner: CliRunner, body: JsonObject) -> None:
    with pytest.raises((Failed, TypeError)):
        ask("POST", "/api/replays", body=body)
    with pytest.raises(Failed):
        ask("POST", "/api/replays/explode")
    assert job(runner) is None
    assert not begun(backstage)


def test_a_line_says_what_there_is_to_say() -> None:
    line = line_of(
        {
            "moved": 1_200,
            "expected": 5_000,
            "dead_letters_moved": 3,
            "duplicates": 7,
            "done_in_seconds": 62.0,
            "waiting": "tiktok: open",
        }
    )
    counted = "1,200 of about 5,000 owed again (3 dead letters), 7 had been accepted since"
    assert line == f"{counted}, done in 1m 2s, WAITING: tiktok: open"
