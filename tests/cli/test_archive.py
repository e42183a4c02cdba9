from __future__ import annotations

from pathlib import Path

import pytest

from relay.cli.archive import DAY_MS, EVER, Window, day_of, gathered
from relay.cli.client import Failed
from relay.core.segment.timing import format_time

TODAY_MS = 20_000 * DAY_MS


def put(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"{}\n")


def test_folders_are_walked_in_order_of_names(tmp_path: Path) -> None:
    put(
        tmp_path,
        "b/2.jsonl",
        "b/10.JSON",
        "a/z/1.gz",
        "a/1.ndjson",
        "c.json.gz",
        "a.csv",
        ".hidden.json",
        "b/.git/x.gz",
    )
    archive = gathered([str(tmp_path)], EVER)
    seen = [str(Path(file.name).relative_to(tmp_path)) for file in archive.files]
    assert seen == ["c.json.gz", "a/1.ndjson", "a/z/1.gz", "b/10.JSON", "b/2.jsonl"]
    skipped = [str(Path(name).relative_to(tmp_path)) for name in archive.skipped]
    assert skipped == [".hidden.json", "a.csv", "b/.git"]
    assert (archive.folders, archive.size) == (1, 15)
    assert all(file.found for file in archive.files)


def test_what_is_named_is_read_whatever_its_name(tmp_path: Path) -> None:
    put(tmp_path, "events.csv")
    archive = gathered([str(tmp_path / "events.csv"), "-"], EVER)
    assert [(file.size, file.found) for file in archive.files] == [(3, False), (0, False)]
    assert archive.folders == 0


def test_days_that_cannot_hold_the_window_are_passed_by(tmp_path: Path) -> None:
    for back in range(6):
        put(tmp_path, f"segment-logs/src/{TODAY_MS - back * DAY_MS}/1.gz")
    put(tmp_path, "segment-logs/src/notes/1.gz", "segment-logs/src/1234567890123/1.gz")

    def days(since_ms: int | None, until_ms: int | None) -> list[int]:
        archive = gathered([str(tmp_path)], Window(since_ms, until_ms))
        names = [Path(file.name).parent.name for file in archive.files]
        assert {"notes", "1234567890123"} <= set(names), "no days: what is in them nobody can tell by the name"
        found = [(TODAY_MS - at) // DAY_MS for name in names if (at := day_of(name)) is not None]
        assert len(found) + len(archive.elsewhen) == 6
        return sorted(found)

    noon = TODAY_MS + DAY_MS // 2
    assert days(None, None) == [0, 1, 2, 3, 4, 5]
    assert days(noon - 2 * DAY_MS, None) == [0, 1, 2]
    assert days(None, noon - 2 * DAY_MS) == [2, 3, 4, 5]
    assert days(noon - 2 * DAY_MS, noon - DAY_MS) == [1, 2]
    assert days(TODAY_MS, None) == [0, 1], "an hour's slack: a file is written after its events came"
    assert days(None, TODAY_MS) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("name", "day"),
    [
        (str(TODAY_MS), TODAY_MS),
        (str(TODAY_MS // 1000), TODAY_MS),
        (str(TODAY_MS + 1), None),
        ("2026", None),
        ("0", None),
        ("१४६१४५६००००००", None),
        ("src", None),
    ],
)
def test_a_day_is_midnight_in_epoch_milliseconds(name: str, day: int | None) -> None:
    assert day_of(name) == day


def test_an_event_is_of_the_time_it_was_received_at() -> None:
    window = Window(TODAY_MS, TODAY_MS + 1000)
    at = format_time
    assert window.holds({"receivedAt": at(TODAY_MS), "timestamp": "2001-01-01"})
    assert not window.holds({"receivedAt": at(TODAY_MS + 1000), "timestamp": at(TODAY_MS)}), "until is not included"
    assert window.holds({"timestamp": at(TODAY_MS + 999)})
    assert window.holds({"receivedAt": "?", "timestamp": at(TODAY_MS)})
    assert not window.holds({}), "who tells no time is in no window"
    assert EVER.holds({})


def test_a_name_that_cannot_be_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="cannot be read"):
        gathered([str(tmp_path / ("long" * 100))], EVER)
