from __future__ import annotations

import json

from click.testing import CliRunner

from relay.cli.drawing import duration, money, printable, size
from relay.cli.status import books_row, breach_line, destination_row, head, status
from tests.cli.ports import Backstage


def test_status_says_what_is_owed(runner: CliRunner, backstage: Backstage) -> None:
    backstage.owe(3)
    backstage.clock.jump(90)
    result = runner.invoke(status)
    assert result.exit_code == 0
    assert "relay 0.1.0, role all" in result.stdout
    assert "a 200 survives: a power cut" in result.stdout
    row, books, _ = [line.split() for line in result.stdout.splitlines() if line.startswith("tiktok")]
    assert row[:5] == ["tiktok", "open", "3", "0", "1m"]
    assert "37.50 EUR" in result.stdout
    assert books == ["tiktok", "conversion", "3", "0", "0", "0", "0", "3", "37.50", "EUR"]


def test_status_as_json_is_the_whole_document(runner: CliRunner, backstage: Backstage) -> None:
    backstage.owe(3)
    document = json.loads(runner.invoke(status, ["--json"]).stdout)
    assert document["destinations"][0]["owed"] == 3
    assert document["streams"][0]["books"]["accepted"] == 3


def test_what_is_wrong_is_said() -> None:
    document = {
        "store": {"up": False, "trouble": "redis_loading", "detail": "40 %"},
        "intake_dead_letters": 1200,
        "streams": [{"unbalanced": -3}, {"unbalanced": 1}],
    }
    text = "\n".join(head(document))
    assert "FULL IN" not in text
    assert "FULL IN 1h 1m" in "\n".join(head({"store": {"up": True, "used_bytes": 1, "full_in_seconds": 3660}}))
    assert "store: DOWN, redis_loading 40 %" in text
    assert "intake rejected 1,200 events" in text
    assert "BOOKS DO NOT BALANCE: 4 entries" in text


def test_a_backlog_without_end_is_no_dash() -> None:
    part = {"name": "tiktok", "backlog": 5, "drain_eta_seconds": None}
    assert "not shrinking" in destination_row(part)
    assert "not shrinking" not in destination_row(part | {"drain_eta_seconds": 3.0})
    assert destination_row({"name": "tiktok", "gate": None})[1] == "-"


def test_words_for_figures() -> None:
    assert [duration(seconds) for seconds in (None, 0, 0.25, 42, 63, 7500, 277_300)] == [
        "-",
        "0s",
        "0.2s",
        "42s",
        "1m 3s",
        "2h 5m",
        "3d 5h",
    ]
    assert [size(count) for count in (None, 12, 2048, 3 * 1024**3)] == ["-", "12 B", "2.0 KiB", "3.0 GiB"]
    assert money({"EUR": 1234.5, "": 1}) == "1,234.50 EUR, 1.00 ?"
    assert printable("a\x1b[31m\u202eb") == "a\\x1b[31m\\u202eb"


def test_the_books_add_up_by_line() -> None:
    books = {"accepted": 20, "requeued": 2, "delivered": 9, "dead:refused": 3, "dead:overlap": 1, "unmatched": 4}
    stream = {"destination": "d", "class": "engagement", "owed": 5, "value": {"EUR": 2.0}, "books": books}
    assert books_row(stream) == ("d", "engagement", "20", "2", "9", "4", "4", "5", "2.00 EUR")


def test_what_will_be_too_old_is_said_loudly() -> None:
    breach = {"entries": 12_300, "first_in_seconds": 90.0, "first_at": "2026-02-02T02:41:30.000Z"}
    line = breach_line("tiktok", breach)
    assert "ABOUT 12,300 ENTRIES WILL PASS THEIR LIMIT" in line
    assert line.endswith("the first passes it at 2026-02-02T02:41:30Z")
    assert breach_line("tiktok", breach | {"first_in_seconds": 0}).endswith("the first passes it now")
