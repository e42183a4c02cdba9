"""The drill itself, short: real processes, a real outage, and a control that must fail."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent


def drill(*options: str) -> tuple[int, dict[str, Any]]:
    command = [sys.executable, "-m", "relay", "drill", "--json", "--seconds", "4", "--outage", "1.2", "--rate", "100"]
    done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=100, check=False)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


@pytest.mark.e2e
def test_an_outage_loses_nothing_and_doubles_nothing() -> None:
    code, ledger = drill()
    assert (code, ledger["lost"], ledger["doubled"], ledger["unbalanced"]) == (0, 0, 0, 0)
    assert ledger["accepted"] == ledger["sent"] == 400
    assert ledger["counted"] == ledger["delivered"] == ledger["wanted"] > 200
    assert ledger["removed_repeats"] > 0, "answers were lost, so something was sent again"
    assert ledger["longest_delay"] >= 1.0


@pytest.mark.e2e
def test_a_relay_without_dedupe_shows_doubles() -> None:
    serve = shlex.join([sys.executable, str(HERE / "without_dedupe.py")])
    code, ledger = drill("--unforgiving", "--serve", serve)
    assert code == 1
    assert ledger["doubled"] > 0
    assert ledger["lost"] == 0


@pytest.mark.e2e
def test_the_same_with_dedupe_shows_none() -> None:
    code, ledger = drill("--unforgiving")
    assert (code, ledger["doubled"], ledger["removed_repeats"]) == (0, 0, 0)


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
