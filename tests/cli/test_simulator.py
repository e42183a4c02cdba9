from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from relay.cli.simulator import simulator
from relay.simulator.control import SWITCHES, Control, as_json

RUN = [sys.executable, "-c", "from relay.cli.simulator import simulator; simulator()"]


@contextmanager
def running(*options: str) -> Iterator[tuple[str, list[str]]]:
    """Base URL and everything it printed before it listened; ended as an operator would."""
    process = subprocess.Popen([*RUN, *options], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        said = []
        for line in process.stdout:
            said.append(line)
            if "Ctrl-C" in line:
                break
        yield re.findall(r"http://[\d.]+:\d+", said[0])[0], said
    finally:
        process.send_signal(signal.SIGTERM)
        process.stdout.close()
        assert process.wait(10) == 0


def control_of(base: str) -> dict[str, object]:
    with urllib.request.urlopen(f"{base}/control", timeout=5) as answer:
        found: dict[str, object] = json.loads(answer.read())
    return found


def test_file_and_options_set_the_switches_and_options_win(tmp_path: Path) -> None:
    file = tmp_path / "control.json"
    file.write_text(json.dumps({"http_mode": "mapped", "latency": 5, "remember_ids": 3}), encoding="utf-8")
    with running("--port", "0", "--control", str(file), "--latency", "0", "--outage", "hang") as (base, said):
        expected = {"http_mode": "mapped", "latency": [0.0, 0.0], "remember_ids": 3}
        shown = control_of(base)
        assert {name: shown[name] for name in expected} == expected
        outage = shown["outage"]
        assert isinstance(outage, dict)
        assert outage["kind"] == "hang"
    assert "look unique" in "".join(said)
    assert "RELAY_TIKTOK_BASE_URL" in said[-1]


def test_every_switch_is_an_option() -> None:
    help_text = CliRunner().invoke(simulator, ["--help"]).output
    assert all(f"--{name.replace('_', '-')} " in help_text for name in SWITCHES)


@pytest.mark.parametrize(
    ("options", "text"),
    [(["--outage", "maybe"], "five-digit"), (["--latency", "[1]"], "latency"), (["--port", "-1"], "port")],
)
def test_nonsense_is_a_usage_error(options: list[str], text: str) -> None:
    result = CliRunner().invoke(simulator, options)
    assert result.exit_code == 2
    assert text in result.output


@pytest.mark.parametrize(("content", "text"), [("{", "not JSON"), ("[]", "JSON object"), ('{"nope": 1}', "known: ")])
def test_a_bad_file_is_a_usage_error(tmp_path: Path, content: str, text: str) -> None:
    file = tmp_path / "control.json"
    file.write_text(content, encoding="utf-8")
    result = CliRunner().invoke(simulator, ["--control", str(file)])
    assert result.exit_code == 2
    assert text in result.output


def test_what_control_shows_is_a_control_file(tmp_path: Path) -> None:
    file = tmp_path / "control.json"
    file.write_text(json.dumps(as_json(Control())), encoding="utf-8")
    with running("--port", "0", "--control", str(file)) as (base, said):
        assert control_of(base) == as_json(Control())
    assert any("not at default  nothing" in line for line in said)


def test_a_taken_port_is_one_clear_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = CliRunner().invoke(simulator, ["--port", str(taken.getsockname()[1])])
    assert result.exit_code == 1
    assert "cannot listen" in result.output
    assert "Traceback" not in result.output
