from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from relay.adapters.redis.directory import SOCKET_PATH_MAX, Directory, Lock
from relay.core.errors import ConfigError


def test_a_lock_is_held_by_one(tmp_path: Path) -> None:
    one, other = Lock(tmp_path / "lock"), Lock(tmp_path / "lock")
    assert one.take()
    assert not other.take()
    assert not other.free()
    one.sign()
    assert other.holder() == str(os.getpid())
    one.drop()
    one.drop()
    assert other.free()
    assert other.take()
    other.drop()


def test_a_lock_lives_as_long_as_who_inherited_it(tmp_path: Path) -> None:
    lock = Lock(tmp_path / "lock")
    assert lock.take()
    assert lock.descriptor is not None
    child = subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE, pass_fds=(lock.descriptor,)
    )
    lock.drop()
    assert not Lock(tmp_path / "lock").free()
    child.kill()
    child.communicate()
    assert Lock(tmp_path / "lock").free()


def test_the_directory_is_private(tmp_path: Path) -> None:
    directory = Directory(tmp_path / "a" / "b", 0, 0)
    directory.prepare()
    directory.prepare()
    assert directory.home.stat().st_mode & 0o777 == 0o700
    assert directory.socket.parent == directory.home


@pytest.fixture
def short() -> Iterator[Path]:
    """A temporary folder whose own name leaves room."""
    with tempfile.TemporaryDirectory(prefix="r") as folder:
        yield Path(folder)


def test_a_long_path_gets_a_short_private_socket(tmp_path: Path, short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(short))
    directory = Directory(tmp_path / ("x" * 100), 0, 0)
    socket = directory.socket
    assert len(os.fsencode(socket)) <= SOCKET_PATH_MAX
    assert directory.socket == socket, "the same for who adopts the server"
    assert Directory(tmp_path / ("y" * 100), 0, 0).socket != socket
    socket.parent.chmod(0o755)
    with pytest.raises(ConfigError, match="not a private directory"):
        _ = directory.socket


def test_low_needs_a_quarter_more_to_be_well_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = iter((2000, 1000, 999, 1100, 1249, 1251, 1100, 999, 998))
    monkeypatch.setattr(Directory, "free_bytes", lambda _: next(free))
    directory = Directory(tmp_path, 1000, 0)
    seen = [bool(directory.low()) for _ in range(8)]
    assert seen == [False, False, True, True, True, False, False, True]
    assert "998 bytes free" in directory.low()


def test_ballast_is_taken_only_with_ample_room_and_given_up_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = Directory(tmp_path, 1000, 4096)
    monkeypatch.setattr(Directory, "free_bytes", lambda _: 1000 + 2 * 4096 - 1)
    assert not directory.take_ballast()
    monkeypatch.undo()
    assert directory.take_ballast()
    assert not directory.take_ballast()
    assert directory.ballast_bytes() == 4096
    assert directory.ballast.stat().st_blocks * 512 >= 4096, "really there, not a hole"
    assert directory.throw_ballast()
    assert not directory.throw_ballast()
    assert directory.ballast_bytes() == 0
