from __future__ import annotations

import os
from pathlib import Path

import pytest

from relay.adapters.mapping_file import TRIES, WatchedFile, content_of
from relay.core.mapping.document import MOST_BYTES


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mapping.json"
    path.write_text("one")
    return path


def test_a_file_is_read_again_once_it_has_changed_and_rests(file: Path) -> None:
    watched = WatchedFile(file)
    assert watched.read() == b"one"
    assert [watched.look() for _ in range(3)] == [False] * 3
    file.write_text("tw")
    assert not watched.look(), "somebody may still be writing"
    file.write_text("two and more")
    assert not watched.look()
    assert watched.look()
    assert watched.read() == b"two and more"
    assert not watched.look()


def test_one_that_takes_its_place_is_another_file_even_with_the_same_size_and_time(file: Path, tmp_path: Path) -> None:
    watched = WatchedFile(file)
    watched.read()
    other = tmp_path / "new"
    other.write_text("two")
    os.utime(other, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))
    other.replace(file)
    assert [watched.look(), watched.look()] == [False, True]
    assert watched.read() == b"two"


def test_a_link_that_turns_elsewhere_is_another_file(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mapping.json").write_text(name)
    (tmp_path / "now").symlink_to("a")
    watched = WatchedFile(tmp_path / "now" / "mapping.json")
    assert watched.read() == b"a"
    (tmp_path / "next").symlink_to("b")
    (tmp_path / "next").replace(tmp_path / "now")
    assert [watched.look(), watched.look()] == [False, True]
    assert watched.read() == b"b"


def test_that_it_vanished_is_told_once_and_its_return_again(file: Path) -> None:
    watched = WatchedFile(file)
    watched.read()
    hidden = file.rename(file.with_suffix(".away"))
    assert [watched.look(), watched.look()] == [False, True]
    with pytest.raises(FileNotFoundError):
        watched.read()
    assert not watched.look()
    hidden.rename(file)
    assert [watched.look(), watched.look()] == [False, True]


def test_what_is_no_file_is_refused_and_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "", "nothing"):
        with pytest.raises(OSError, match=r"regular|directory|No such"):
            WatchedFile(tmp_path / name).read()


def test_no_more_is_read_than_shows_that_it_is_too_large(file: Path) -> None:
    with file.open("wb") as stream:
        stream.truncate(MOST_BYTES * 50)
    assert len(WatchedFile(file).read()) == len(content_of(file)) == MOST_BYTES + 1


def test_a_file_that_changes_while_it_is_read_is_not_believed(file: Path) -> None:
    class Unlucky(WatchedFile):
        """Somebody writes after each read."""

        reads = 0

        def _content(self) -> bytes:
            found = super()._content()
            self.reads += 1
            if self.reads <= restless:
                file.write_text("x" * self.reads)
            return found

    restless = 1
    assert Unlucky(file).read() == b"x"
    restless = TRIES
    watched = Unlucky(file)
    with pytest.raises(OSError, match="writing"):
        watched.read()
    assert [watched.look(), watched.look()][-1], "it is tried again"
    assert watched.read() == b"x" * TRIES
