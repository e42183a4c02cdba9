"""A power cut: kill -9 proves nothing about fsync, so a trace must show it between an event's write and its 200."""

from __future__ import annotations

import re
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest

from tests.e2e.processes import Relay, Simulator, playground, sign, wait_for

TRACED = "trace=write,writev,sendto,sendmsg,fdatasync,fsync"
CALL = re.compile(r"^(?P<pid>\d+)\s+(?P<time>\d+\.\d+)\s+(?P<name>\w+)\((?P<args>.*)$")


def post(relay: Relay, number: int) -> None:
    """A page view nobody has sent before: a duplicate would write no entry."""
    body = b'{"type":"page","messageId":"power-%d","timestamp":"2099-01-01T00:00:00Z"}' % number
    request = urllib.request.Request(relay.webhook, body, {"X-Signature": sign(body)})
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 200


def trace_of_valkey(relay: Relay, folder: Path, events: range) -> list[tuple[str, str]]:
    """System calls of the server while the ``events`` are posted one by one: (name, arguments)."""
    pid = relay.valkey_pid()
    assert pid is not None
    log = folder / "trace"
    tracer = subprocess.Popen(
        ["strace", "-f", "-y", "-ttt", "-s", "4096", "-e", TRACED, "-p", str(pid), "-o", str(log)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        wait_for("the tracer", lambda: traced(pid))
        for number in events:
            post(relay, number)
            time.sleep(0.02)
    finally:
        tracer.terminate()
        tracer.communicate(timeout=10)
    calls = [found for line in log.read_text(errors="replace").splitlines() if (found := CALL.match(line))]
    return [(call["name"], call["args"]) for call in calls]


def traced(pid: int) -> bool:
    return "TracerPid:\t0" not in Path(f"/proc/{pid}/status").read_text()


def replies_before_sync(calls: list[tuple[str, str]]) -> int:
    """How many replies left after an append was written to the AOF and before that write was synced."""
    unsynced = False
    early = 0
    for name, arguments in calls:
        to_file = "appendonly" in arguments.split(",", 1)[0]
        if name in {"write", "writev"} and to_file:
            unsynced = unsynced or "owed:" in arguments
        elif name in {"fdatasync", "fsync"} and to_file:
            unsynced = False
        elif unsynced and ("socket:" in arguments or "UNIX" in arguments.split(",", 1)[0]):
            early += 1
    return early


def appends(calls: list[tuple[str, str]]) -> int:
    return sum(name in {"write", "writev"} and "owed:" in arguments for name, arguments in calls)


@pytest.mark.e2e
@pytest.mark.needs("strace")
def test_a_200_leaves_after_the_fsync_and_everysec_would_be_caught(tmp_path: Path) -> None:
    with playground(tmp_path) as (relay, simulator):
        Simulator.control(simulator, outage="503")
        calls = trace_of_valkey(relay, tmp_path, range(20))
        assert appends(calls) >= 20
        assert replies_before_sync(calls) == 0
        relax(relay)
        calls = trace_of_valkey(relay, tmp_path, range(20, 40))
        assert appends(calls) >= 20
        assert replies_before_sync(calls) > 0, "the negative control: with everysec this test must fail"


def relax(relay: Relay) -> None:
    """Switch the running server to everysec over its socket."""
    import redis  # noqa: PLC0415

    (socket,) = list(relay.folder.rglob("*.sock"))
    client = redis.Redis(unix_socket_path=str(socket))
    client.config_set("appendfsync", "everysec")
    client.close()
