from __future__ import annotations

from pathlib import Path

import orjson
from click.testing import CliRunner

from relay.cli.train import train_dictionary
from relay.simulator.traffic import traffic


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(train_dictionary, list(arguments))
    return result.exit_code, result.output


def test_a_dictionary_from_a_file_gets_the_next_number(tmp_path: Path) -> None:
    source = traffic(1, 1_764_000_000_000)
    lines = tmp_path / "events.jsonl"
    lines.write_bytes(b"\n".join(orjson.dumps(next(source)) for _ in range(300)) + b"\n\n")
    code, output = run(str(lines), "--out", str(tmp_path / "dictionaries"))
    assert (code, len(list((tmp_path / "dictionaries").glob("*.dict")))) == (0, 1), output
    taken = next((tmp_path / "dictionaries").glob("*.dict"))
    code, output = run(str(lines), "--out", str(tmp_path / "dictionaries"), "--number", taken.stem)
    assert code == 1
    assert "exists" in output


def test_too_few_events_say_so(tmp_path: Path) -> None:
    lines = tmp_path / "events.jsonl"
    lines.write_bytes(b"{}\n")
    code, output = run(str(lines), "--out", str(tmp_path))
    assert code == 1
    assert "too few" in output
