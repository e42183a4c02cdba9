from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from aiohttp import web
from click.testing import CliRunner

from relay.cli.client import Unreachable
from relay.cli.event_files import FileEvent
from relay.cli.send import send
from relay.cli.sending import Manner, Target, batches, send_all
from tests.cli.ports import TOKEN, Backstage, served

EVENTS = [f'{{"type":"track","n":{number}}}'.encode() for number in range(7)]


def written() -> Iterator[FileEvent]:
    return map(FileEvent, EVENTS)


class Door:
    """Hears requests, and answers by a script: status, code, Retry-After for each in turn; afterwards 200."""

    def __init__(self, *script: tuple[int, str, str]) -> None:
        self.script = list(script)
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.app = web.Application()
        self.app.router.add_post("/webhook/segment", self.hear)

    async def hear(self, request: web.Request) -> web.Response:
        self.requests.append((dict(request.headers), await request.read()))
        status, code, wait = self.script.pop(0) if self.script else (200, "", "")
        headers = {"Retry-After": wait} if wait else {}
        return web.json_response({"code": code}, status=status, headers=headers)


def run(door: Door, manner: Manner, secret: bytes = b"") -> dict[str, int]:
    heard: list[tuple[int, str]] = []
    with served(door.app) as port:
        target = Target(f"http://127.0.0.1:{port}/webhook/segment", secret)
        tally = asyncio.run(
            send_all(written(), target, manner, lambda batch, answer: heard.append((len(batch), answer)))
        )
    assert sum(count for count, _ in heard) == tally.events == len(EVENTS)
    return dict(tally.answers) | ({"retries": tally.retries} if tally.retries else {})


def test_single_events_are_signed_as_a_whole() -> None:
    door = Door()
    assert run(door, Manner(), b"secret") == {"200": 7}
    assert sorted(body for _, body in door.requests) == EVENTS
    for headers, body in door.requests:
        assert headers["X-Signature"] == hmac.new(b"secret", body, hashlib.sha1).hexdigest()
        assert headers["User-Agent"] == "Segment (Actions)"


def test_batches_are_signed_by_their_first_event() -> None:
    door = Door()
    assert run(door, Manner(batch=3), b"secret") == {"200": 7}
    sizes = []
    for headers, body in door.requests:
        parts = json.loads(body)
        parts = parts if isinstance(parts, list) else [parts]
        first = EVENTS[parts[0]["n"]]
        sizes.append(len(parts))
        assert headers["X-Signature"] == hmac.new(b"secret", first, hashlib.sha1).hexdigest()
    assert sorted(sizes) == [1, 3, 3]


def test_without_a_secret_nothing_is_signed() -> None:
    door = Door()
    run(door, Manner())
    assert all("X-Signature" not in headers for headers, _ in door.requests)


def test_503_and_429_are_tried_again() -> None:
    door = Door((429, "overloaded", ""), (503, "journal_full", "1"))
    assert run(door, Manner(batch=7)) == {"200": 7, "retries": 2}
    assert len({body for _, body in door.requests}) == 1


def test_a_final_answer_is_not_tried_again() -> None:
    door = Door((401, "bad_signature", ""))
    assert run(door, Manner(batch=7)) == {"401 bad_signature": 7}
    assert len(door.requests) == 1


def test_patience_ends() -> None:
    door = Door((503, "journal_full", "30"))
    assert run(door, Manner(batch=7, retry_for=1.0)) == {"503 journal_full": 7}


def test_nobody_there() -> None:
    target = Target("http://127.0.0.1:9/webhook/segment")
    with pytest.raises(Unreachable, match="no relay at"):
        asyncio.run(send_all(written(), target, Manner()))


def test_a_rate_is_kept() -> None:
    door = Door()
    started = asyncio.run(timed(lambda: run_at(door, 70.0)))
    assert 0.08 < started < 1.0, "the seventh of 70 a second starts after 86 ms"


async def timed(action: Callable[[], object]) -> float:
    loop = asyncio.get_running_loop()
    before = loop.time()
    await asyncio.to_thread(action)
    return loop.time() - before


def run_at(door: Door, rate: float) -> None:
    with served(door.app) as port:
        target = Target(f"http://127.0.0.1:{port}/webhook/segment")
        asyncio.run(send_all(written(), target, Manner(rate=rate)))


def test_batches() -> None:
    assert [len(batch) for batch in batches(written(), 3)] == [3, 3, 1]
    assert list(batches(iter([]), 3)) == []


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"\n".join(EVENTS))
    return str(path)


def test_the_command_sends_to_a_webhook(runner: CliRunner, file: str) -> None:
    door = Door((400, "bad_json", ""))
    with served(door.app) as port:
        url = f"http://127.0.0.1:{port}/webhook/segment"
        result = runner.invoke(send, [file, "--url", url, "--secret", "s", "--token", "t", "--json"])
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert (report["events"], report["accepted"], report["answers"]) == (7, 6, {"200": 6, "400 bad_json": 1})
    assert "1 events were not accepted" in result.stderr
    assert all(headers["X-Relay-Token"] == "t" for headers, _ in door.requests)


def test_the_command_sends_through_the_admin_port(runner: CliRunner, file: str, backstage: Backstage) -> None:
    result = runner.invoke(send, [file])
    assert result.exit_code == 0
    assert "7 of 7 accepted" in result.stdout
    (body,) = backstage.received
    assert body == b"[" + b",".join(EVENTS) + b"]"


def test_events_go_as_those_of_a_source(runner: CliRunner, file: str, backstage: Backstage) -> None:
    backstage.source_needed = True
    for words in ([], ["--dry-run"]):
        refused = runner.invoke(send, [file, *words])
        assert refused.exit_code == 1
        assert "Say whose events: segment, web. (--source NAME)" in refused.stderr
    assert (backstage.received, backstage.judged) == ([], [])
    for words in (["--dry-run"], []):
        sent = runner.invoke(send, [file, "--source", "we b&c", *words])
        assert sent.exit_code == 0, sent.output
    assert backstage.sources == ["we b&c", "we b&c"]
    assert len(backstage.received) == len(backstage.judged) == 1


def test_one_clear_line(runner: CliRunner, file: str, tmp_path: Path, backstage: Backstage) -> None:
    (tmp_path / "bad").write_text("{}\nno\n")
    (tmp_path / "empty").write_text("")
    for arguments, code, words in (
        ([str(tmp_path / "bad")], 1, "line 2"),
        ([str(tmp_path / "none")], 1, "cannot be read"),
        ([str(tmp_path / "empty")], 1, "no event"),
        ([file, "--url", "http://127.0.0.1:9/webhook/segment"], 3, "no relay at"),
        ([file, "--url", "localhost:9"], 2, "http://"),
        ([file, "--secret", "s"], 2, "--url"),
        ([file, "--source", "s", "--url", "http://127.0.0.1:9/webhook/segment"], 2, "without --url"),
    ):
        result = runner.invoke(send, arguments)
        assert result.exit_code == code, (arguments, result.output)
        assert words in result.stderr
        assert "Traceback" not in result.output
    assert TOKEN not in result.output
