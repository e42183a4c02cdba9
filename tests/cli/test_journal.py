from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.cli.archive import EVER, Window
from relay.cli.client import Failed
from relay.cli.journal import Journal, Kept, Ranges, default_path, fingerprint, key_of, open_journal


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "journal"


@pytest.fixture
def file(tmp_path: Path) -> str:
    (tmp_path / "events.jsonl").write_bytes(b'{"a":1}\n' * 100)
    return str(tmp_path / "events.jsonl")


OPEN: list[Journal] = []


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    while OPEN:
        OPEN.pop().close(finished=False)


def opened(path: Path, key: str = "k", *, restart: bool = False) -> Journal:
    """A process that has died holds no lock: only one that is closed can be followed by another."""
    OPEN.append(open_journal(path, key, restart=restart))
    return OPEN[-1]


def done(kept: Kept) -> list[tuple[int, int]]:
    return list(kept.done.pairs())


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 9))))
def test_ranges_hold_what_was_added_and_stay_apart(added: list[tuple[int, int]]) -> None:
    ranges, expected = Ranges(), set[int]()
    for first, more in added:
        ranges.add(first, first + more)
        expected.update(range(first, first + more + 1))
    assert {number for number in range(80) if number in ranges} == expected
    assert len(ranges) == len(expected)
    pairs = list(ranges.pairs())
    assert all(before[1] + 1 < after[0] for before, after in itertools.pairwise(pairs))


def test_what_was_acknowledged_is_known_the_next_time(path: Path, file: str) -> None:
    journal = opened(path)
    assert not journal.resumed
    kept = journal.begin(file)
    for first in (20, 0, 10):
        journal.took(kept, first, first + 4)
    journal.close(finished=False)
    again = opened(path)
    assert again.resumed
    kept = again.begin(file)
    assert done(kept) == [(0, 4), (10, 14), (20, 24)]
    assert not kept.complete
    again.took(kept, 5, 19)
    again.took(kept, 15, 19)
    again.took(kept, 25, 99)
    again.read(kept, 100)
    again.close(finished=False)
    last = opened(path)
    assert last.begin(file).complete
    last.close(finished=True)
    assert not path.exists()


def test_a_file_without_anything_to_send_is_done_with(path: Path, file: str) -> None:
    journal = opened(path)
    journal.read(journal.begin(file), 0)
    journal.close(finished=False)
    assert opened(path).begin(file).complete


def test_a_torn_line_is_not_read(path: Path, file: str) -> None:
    journal = opened(path)
    kept = journal.begin(file)
    journal.took(kept, 0, 9)
    journal.close(finished=False)
    with path.open("ab") as stream:
        stream.write(b'{"file":0,"done":[[0,9')
    again = opened(path)
    again.took(again.begin(file), 50, 59)
    again.close(finished=False)
    assert done(opened(path).begin(file)) == [(0, 9), (50, 59)]


def test_a_changed_file_begins_anew_and_one_that_grew_goes_on(path: Path, file: str) -> None:
    journal = opened(path)
    journal.took(journal.begin(file), 0, 9)
    journal.close(finished=False)
    with Path(file).open("ab") as stream:
        stream.write(b'{"a":2}\n')
    grown = opened(path)
    assert done(grown.begin(file)) == [(0, 9)]
    grown.close(finished=False)
    again = opened(path)
    assert done(again.begin(file)) == [(0, 9)], "also the next time"
    again.close(finished=False)
    Path(file).write_bytes(b'{"b":1}\n' * 101)
    changed = opened(path)
    assert done(changed.begin(file)) == []
    changed.close(finished=False)
    Path(file).write_bytes(b"{}\n")
    assert done(opened(path).begin(file)) == []


LINES = [b'{"messageId":"%07d"}\n' % number for number in range(20_000)]


@pytest.mark.parametrize(
    "anew",
    [
        [*LINES[:-1], b'{"messageId":"another"}\n'],
        [*LINES[:10_000], b'{"messageId":"another"}\n', *LINES[10_001:]],
        [*LINES[:10_000], b'{"messageId":"another"}\n', *LINES[10_000:]],
    ],
    ids=["another at the end", "another in the middle", "one more in the middle"],
)
def test_a_file_made_anew_with_the_same_beginning_begins_anew(path: Path, file: str, anew: list[bytes]) -> None:
    Path(file).write_bytes(b"".join(LINES))
    os.utime(file, (1, 1))
    journal = opened(path)
    journal.took(journal.begin(file), 0, 19_999)
    journal.close(finished=False)
    Path(file).write_bytes(b"".join(anew))
    assert done(opened(path).begin(file)) == []


def test_a_large_file_that_only_grew_goes_on(path: Path, file: str) -> None:
    Path(file).write_bytes(b"".join(LINES))
    journal = opened(path)
    journal.took(journal.begin(file), 0, 19_999)
    journal.close(finished=False)
    with Path(file).open("ab") as stream:
        stream.write(LINES[0])
    assert done(opened(path).begin(file)) == [(0, 19_999)]


def test_restart_forgets(path: Path, file: str) -> None:
    journal = opened(path)
    journal.took(journal.begin(file), 0, 9)
    journal.close(finished=False)
    anew = opened(path, restart=True)
    assert not anew.resumed
    assert done(anew.begin(file)) == []


def test_one_process_at_a_time(path: Path) -> None:
    journal = opened(path)
    with pytest.raises(Failed, match="another relay send"):
        opened(path)
    journal.close(finished=False)
    opened(path).close(finished=True)


@pytest.mark.parametrize(
    "content", [b"no\n", b"[]\n", b'{"journal":1,"key":"k"}\n{"file":7,"done":[],"complete":true}\n']
)
def test_something_else_is_no_journal(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(Failed, match="no journal of relay send"):
        opened(path)
    assert path.read_bytes() == content


def test_a_journal_in_which_nothing_was_begun_is_not_kept(path: Path) -> None:
    opened(path).close(finished=False)
    assert not path.exists()


def test_the_journal_of_another_command_is_left_alone(path: Path, file: str) -> None:
    one = opened(path, "one")
    one.begin(file)
    one.close(finished=False)
    with pytest.raises(Failed, match="another command"):
        opened(path, "two")


def test_what_makes_a_command_the_same(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    key = key_of(["a"], "http://one", EVER)
    assert key == key_of([str(tmp_path / "a")], "http://one", EVER)
    others = [
        key_of(["b"], "http://one", EVER),
        key_of(["a"], "http://two", EVER),
        key_of(["a"], "http://one", Window(5, None)),
    ]
    assert len({key, *others}) == 4
    assert default_path(key).is_relative_to(tmp_path / "state")
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_path(key).is_relative_to(tmp_path / ".local" / "state")


def test_a_file_that_went_away_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="cannot be read"):
        fingerprint(str(tmp_path / "gone"))
