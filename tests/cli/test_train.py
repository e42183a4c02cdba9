from __future__ import annotations

from pathlib import Path
from typing import Any

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


def somebody(number: int) -> dict[str, Any]:
    """Who comes back often, as regular customers do: a dictionary learns what repeats."""
    who = number % 40
    email, phone, ip = f"Person{who}@mail-{who}.example.org", f"+49170000{who:04d}", f"203.0.113.{who}"
    traits = {
        "email": email,
        "phone": phone,
        "firstName": f"Firstname{who}",
        "address": {"street": f"Lindenweg {who}a"},
    }
    return {
        "type": "track",
        "event": "Order Completed",
        "messageId": f"message-{number}",
        "userId": f"customer-no-{who}",
        "anonymousId": f"0b1e5f0a-0000-4000-8000-0000000000{who:02d}",
        "context": {"ip": ip, "traits": traits, "page": {"url": f"https://shop.example/thanks?mail={email}&x={who}"}},
        "properties": {"revenue": number % 97, "note": f"for Firstname{who}, call {phone}", "customer_email": [email]},
    }


def test_nothing_of_a_person_is_in_the_dictionary(tmp_path: Path) -> None:
    lines = tmp_path / "events.jsonl"
    lines.write_bytes(b"\n".join(orjson.dumps(somebody(number)) for number in range(4000)))
    code, output = run(str(lines), "--out", str(tmp_path))
    assert code == 0, output
    learnt = next(tmp_path.glob("*.dict")).read_bytes().lower()
    assert b"order completed" in learnt
    assert b'"customer_email":["' in learnt
    for who in range(40):
        parts = (f"person{who}@", f"mail-{who}.example", f"+49170000{who:04d}", f"firstname{who}", f"203.0.113.{who}")
        for part in (*parts, f"lindenweg {who}", f"customer-no-{who}", f"0b1e5f0a-0000-4000-8000-0000000000{who:02d}"):
            assert part.encode() not in learnt, part


def test_the_help_says_what_becomes_of_personal_values() -> None:
    code, output = run("--help")
    assert code == 0
    assert "no erasure reaches it" in " ".join(output.split())


def test_too_few_events_say_so(tmp_path: Path) -> None:
    lines = tmp_path / "events.jsonl"
    lines.write_bytes(b"{}\n")
    code, output = run(str(lines), "--out", str(tmp_path))
    assert code == 1
    assert "too few" in output
