"""The drill itself, short: real processes, a real outage, and a control that must fail."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from relay.adapters.redis.embedded import EmbeddedValkey
from relay.adapters.redis.valkey_process import EmbeddedOptions
from relay.adapters.system import SystemClock
from relay.cli.drilling.stage import without_orphan

HERE = Path(__file__).parent


def start(*options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "relay", "drill", "--json", "--seconds", "4", "--outage", "1.2", "--rate", "100"]
    return subprocess.Popen([*command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def end(drill: subprocess.Popen[str]) -> tuple[int, dict[str, Any]]:
    try:
        out, errors = drill.communicate(timeout=100)
    finally:
        drill.kill()
    assert out, errors
    return drill.returncode, json.loads(out)


@pytest.mark.e2e
def test_an_outage_loses_nothing_and_doubles_nothing() -> None:
    code, ledger = end(start())
    assert (code, ledger["lost"], ledger["doubled"], ledger["unbalanced"]) == (0, 0, 0, 0)
    assert ledger["accepted"] == ledger["sent"] == 400
    assert ledger["counted"] == ledger["delivered"] == ledger["wanted"] > 200
    assert ledger["removed_repeats"] > 0, "answers were lost, so something was sent again"
    assert ledger["longest_delay"] >= 1.0


@pytest.mark.e2e
def test_it_is_the_relays_own_dedupe_that_prevents_doubles() -> None:
    forgetful = start("--unforgiving", "--serve", shlex.join([sys.executable, str(HERE / "without_dedupe.py")]))
    usual = start("--unforgiving")
    code, ledger = end(forgetful)
    assert code == 1
    assert ledger["doubled"] > 0
    assert ledger["lost"] == 0
    code, ledger = end(usual)
    assert (code, ledger["doubled"], ledger["removed_repeats"]) == (0, 0, 0)


async def test_a_server_that_was_left_behind_is_stopped(tmp_path: Path) -> None:
    server = EmbeddedValkey(tmp_path / "data", EmbeddedOptions(disk_floor=0, ballast=0), SystemClock(), lambda _: None)
    async with without_orphan(tmp_path / "data"):
        await server.start()
        server._directory.relay_lock.drop()  # as if the relay had been killed
        assert server.alive
    # Its files are closed when ``without_orphan`` returns; that the process can be reaped comes a moment later.
    assert server._child is not None
    assert server._child.wait(10) == 0
    assert not server.alive


@pytest.mark.e2e
def test_a_relay_that_does_not_start_is_one_message_with_its_last_words() -> None:
    command = [
        sys.executable,
        "-m",
        "relay",
        "drill",
        "--json",
        "--serve",
        f"{sys.executable} -c 'raise SystemExit(\"no luck\")'",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "relay does not come up (it ended with 1)" in done.stderr
    assert "no luck" in done.stderr
    assert "Traceback" not in done.stderr
