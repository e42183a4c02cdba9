from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.cli.client import Failed
from relay.cli.event_files import NotJson, events_in

EVENTS = [{"type": "track", "event": "Ünï", "n": 1e-7}, {"type": "page", "messageId": "m2"}]
LINES = b'{"type":"track","event":"\xc3\x9cn\xc3\xaf","n":1e-7}\n\n{"type":"page","messageId":"m2"}\n'


def read(path: Path, content: bytes) -> list[bytes]:
    path.write_bytes(content)
    return [event.raw for event in events_in(str(path))]


def test_lines_are_taken_as_they_are(tmp_path: Path) -> None:
    raws = [line for line in LINES.splitlines() if line]
    assert read(tmp_path / "a", LINES) == raws
    assert read(tmp_path / "a", LINES.rstrip(b"\n")) == raws
    assert read(tmp_path / "a", b"\xef\xbb\xbf" + LINES.replace(b"\n", b"\r\n")) == raws
    assert read(tmp_path / "a.gz", gzip.compress(LINES)) == raws


@pytest.mark.parametrize("indent", [None, 2])
def test_an_array_or_one_object(tmp_path: Path, indent: int | None) -> None:
    array = json.dumps(EVENTS, indent=indent).encode()
    assert [json.loads(raw) for raw in read(tmp_path / "a", array)] == EVENTS
    assert [json.loads(raw) for raw in read(tmp_path / "a", gzip.compress(array))] == EVENTS
    one = json.dumps(EVENTS[0], indent=indent).encode()
    assert [json.loads(raw) for raw in read(tmp_path / "a", one)] == EVENTS[:1]


def test_nothing_in_it(tmp_path: Path) -> None:
    assert read(tmp_path / "a", b"") == read(tmp_path / "a", b"\n \n") == read(tmp_path / "a", b"[]") == []


def test_nan_and_lone_surrogates_pass(tmp_path: Path) -> None:
    line = b'{"type":"track","value":NaN,"name":"\\ud800"}'
    assert read(tmp_path / "a", line + b"\n" + line) == [line, line]
    (raw,) = read(tmp_path / "a", b"[" + line + b"]")
    assert b"NaN" in raw


@pytest.mark.parametrize(
    "content", [b"not json", b"[1, 2]", b'"text"', b'{"a":1}\nnot json\n', b'{"a":1}\n[2]\n', b"\x1f\x8b\x08broken"]
)
def test_something_else_is_one_line(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(NotJson) as caught:
        read(tmp_path / "a", content)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="cannot be read"):
        list(events_in(str(tmp_path / "none")))


def test_positions_grow(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(LINES)
    positions = [event.position for event in events_in(str(tmp_path / "a"))]
    assert positions == sorted(positions)
    assert positions[-1] == len(LINES)


@pytest.mark.parametrize("packed", [False, True])
def test_standard_input_may_be_a_pipe(packed: bool) -> None:  # noqa: FBT001
    program = "from relay.cli.event_files import events_in; print(len(list(events_in('-'))))"
    content = gzip.compress(LINES) if packed else LINES
    done = subprocess.run([sys.executable, "-c", program], input=content, capture_output=True, check=True, timeout=20)
    assert done.stdout == b"2\n"


@given(st.binary(max_size=200))
def test_any_bytes_are_events_or_one_line(content: bytes) -> None:
    stand_in = SimpleNamespace(buffer=io.BytesIO(content))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", stand_in)
        assert "\n" not in outcome()


def outcome() -> str:
    try:
        return str(len(list(events_in("-"))))
    except Failed as problem:
        return str(problem)
