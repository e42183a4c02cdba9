from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from relay.cli.archive import EVER, Window, gathered
from relay.cli.client import Failed
from relay.cli.event_files import NotJson
from relay.cli.journal import Journal, open_journal
from relay.cli.reading import Reading


def lines(first: int, count: int, **more: object) -> bytes:
    return b"".join(json.dumps({"n": n, **more}).encode() + b"\n" for n in range(first, first + count))


def numbers(reading: Reading) -> list[int]:
    return [json.loads(event.raw)["n"] for event in reading]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "events"
    folder.mkdir()
    (folder / "1.jsonl").write_bytes(lines(0, 10))
    (folder / "2.gz").write_bytes(gzip.compress(lines(10, 10)))
    return folder


def journal(folder: Path) -> Journal:
    return open_journal(folder.parent / "journal", "k")


def reading(folder: Path, kept: Journal | None = None, window: Window = EVER, sample: int = 0) -> Reading:
    return Reading(gathered([str(folder)], window), window, kept, sample=sample)


def test_files_follow_each_other_and_the_position_grows(folder: Path) -> None:
    found = reading(folder)
    positions = [found.position for _ in found]
    assert positions == sorted(positions)
    assert found.position == sum(path.stat().st_size for path in folder.iterdir())
    assert found.chosen == 20


def test_what_was_acknowledged_is_not_read_again(folder: Path) -> None:
    kept = journal(folder)
    first = reading(folder, kept)
    events = list(first)
    first.acknowledged([*events[12:15], *events[8:12], events[3]])
    kept.close(finished=False)
    kept = journal(folder)
    again = reading(folder, kept)
    assert numbers(again) == [0, 1, 2, 4, 5, 6, 7, 15, 16, 17, 18, 19]
    assert (again.earlier, again.chosen) == (8, 12)
    again.acknowledged(events)
    kept.close(finished=False)
    kept = journal(folder)
    last = reading(folder, kept)
    assert (numbers(last), last.earlier) == ([], 20)
    kept.close(finished=True)


def test_numbers_are_those_of_the_window(folder: Path) -> None:
    (folder / "1.jsonl").write_bytes(
        lines(0, 3, receivedAt="2026-01-01") + lines(3, 4, receivedAt="2026-02-01") + lines(7, 3)
    )
    window = Window(since_ms=1_769_000_000_000)
    kept = journal(folder)
    first = reading(folder, kept, window)
    events = list(first)
    assert (len(events), first.outside) == (4, 16)
    first.acknowledged(events[:2])
    kept.close(finished=False)
    kept = journal(folder)
    assert numbers(reading(folder, kept, window)) == [5, 6]
    kept.close(finished=True)


def test_in_a_folder_what_cannot_be_read_stops_nothing_and_is_named(folder: Path) -> None:
    (folder / "1.jsonl").write_bytes(b"broken\n" + lines(0, 2) + b'{"torn":\n' + lines(2, 2))
    whole = gzip.compress(lines(10, 5000))
    (folder / "2.gz").write_bytes(whole[: len(whole) // 2])
    (folder / "3.json").write_bytes(b"[1, 2]")
    (folder / "4.json").write_bytes(lines(90, 1))
    found = reading(folder)
    seen = numbers(found)
    assert seen[:4] == [0, 1, 2, 3]
    assert seen[-1] == 90
    assert found.unreadable >= 4
    text = "\n".join(found.troubles)
    for words in ("1.jsonl: line 1 ", "1.jsonl: line 4 ", "2.gz: broken gzip", "3.json: neither"):
        assert words in text
    with pytest.raises(NotJson):
        list(Reading(gathered([str(folder / "1.jsonl")], EVER), EVER))


def test_a_sample_reads_the_beginning_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "long.jsonl").write_bytes(lines(0, 100_000))
    found = Reading(gathered([str(tmp_path / "long.jsonl")], EVER), EVER, sample=100)
    assert len(list(found)) == 100
    size = (tmp_path / "long.jsonl").stat().st_size
    assert 0 < size - found.unread < size / 100


def test_a_large_folder_is_not_read_before_the_first_event(folder: Path) -> None:
    (folder / "3.json").mkdir()
    (folder / "4.gz").symlink_to(folder / "gone")
    events = iter(reading(folder))
    assert json.loads(next(events).raw)["n"] == 0
    (folder / "2.gz").unlink()
    with pytest.raises(Failed, match=r"2\.gz: cannot be read"):
        list(events)
