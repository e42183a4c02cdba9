"""The data directory of an embedded server: who may work in it, where its socket is, how much room is left.

Two servers on one directory both start and then destroy it, so a lock decides. It must live exactly as long as the
server, whatever becomes of the relay: the server inherits the descriptor that holds it, and the relay lets go of its.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from relay.core.errors import ConfigError

SOCKET_PATH_MAX = 100
"""Bytes. The system allows 104 to 108."""
AOF_FOLDER = "appendonlydir"


class Lock:
    """An exclusive ``flock`` on a file; gone when the last descriptor of it is closed, by whatever death."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.descriptor: int | None = None

    def take(self) -> bool:
        """Take it now, or say that somebody else has it."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self.descriptor = descriptor
        return True

    def sign(self) -> None:
        """Write our process id into it, for the message somebody else will get."""
        if self.descriptor is not None:
            with suppress(OSError):  # a full disk must not keep us from starting; the number is a courtesy
                os.ftruncate(self.descriptor, 0)
                os.pwrite(self.descriptor, str(os.getpid()).encode(), 0)

    def holder(self) -> str:
        """The process id in it, '' if there is none."""
        return self._path.read_text(errors="replace").strip()

    def free(self) -> bool:
        """Whether nobody holds it right now."""
        taken = self.take()
        self.drop()
        return taken

    def drop(self) -> None:
        """Close our descriptor; who inherited it keeps the lock."""
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None


class Directory:
    """``DATA_DIR``: ``lock`` (the server's), ``relay.lock``, ``ballast``; in ``valkey/`` socket, log and data."""

    def __init__(self, path: Path, floor_bytes: int, ballast_bytes: int) -> None:
        self.path = path.absolute()
        self.home = self.path / "valkey"
        self.server_lock = Lock(self.path / "lock")
        self.relay_lock = Lock(self.path / "relay.lock")
        self.ballast = self.path / "ballast"
        self._floor, self._ballast_bytes = floor_bytes, ballast_bytes
        self._low = False

    def prepare(self) -> None:
        """Make it, private to us. ConfigError when that is impossible."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.home.mkdir(mode=0o700, exist_ok=True)
            self.home.chmod(0o700)
        except OSError as exc:
            raise ConfigError([f"RELAY_DATA_DIR: {self.path}: {exc.strerror or exc}"]) from exc

    @property
    def socket(self) -> Path:
        """Beside the data, or under a short name where that path is longer than the system allows."""
        path = self.home / "valkey.sock"
        if len(os.fsencode(path)) <= SOCKET_PATH_MAX:
            return path
        name = hashlib.blake2b(os.fsencode(self.path), digest_size=8).hexdigest()
        folder = Path(tempfile.gettempdir()) / f"relay-{os.getuid()}-{name}"
        folder.mkdir(mode=0o700, exist_ok=True)
        owner = folder.lstat()
        if owner.st_uid != os.getuid() or owner.st_mode & 0o077 or folder.is_symlink():
            raise ConfigError(
                [f"{folder}: not a private directory of ours; remove it, or use a shorter RELAY_DATA_DIR"]
            )
        return folder / "valkey.sock"

    def rewritten_s(self) -> float | None:
        """When the append-only file was last written anew, in Unix seconds; None while there is none."""
        with suppress(FileNotFoundError):  # an older one may go away while we look
            return max((file.stat().st_mtime for file in self.home.glob(f"{AOF_FOLDER}/*.base.*")), default=None)
        return None

    def free_bytes(self) -> int:
        """What may still be written here."""
        return shutil.disk_usage(self.path).free

    def low(self) -> str:
        """'' while there is room; else says how little. A quarter more than the floor is needed to be well again."""
        free = self.free_bytes()
        self._low = free < self._floor * (1.25 if self._low else 1.0)
        return f"{free:,} bytes free in {self.path}, {self._floor:,} are kept" if self._low else ""

    def ballast_bytes(self) -> int:
        """What giving up the reserve would free now."""
        return self.ballast.stat().st_size if self.ballast.exists() else 0

    def throw_ballast(self) -> bool:
        """Give up the reserve so that the server can start and drain; False when it is gone already."""
        had = self.ballast.exists()
        self.ballast.unlink(missing_ok=True)
        return had

    def take_ballast(self) -> bool:
        """Reserve again if there is ample room; True when it was missing and now is there."""
        if self.ballast.exists() or self.free_bytes() < self._floor + 2 * self._ballast_bytes:
            return False
        try:
            with self.ballast.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, self._ballast_bytes)
        except OSError:
            self.ballast.unlink(missing_ok=True)
            return False
        return True
