"""Mapping files on disk: read whole or not at all, and watched while somebody edits them."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from relay.core.mapping.document import MOST_BYTES

Signature = tuple[int, ...]  # differs when a file was written, replaced or renamed
TRIES = 3


def content_of(path: Path) -> bytes:
    """What a file or pipe holds; one byte more than a mapping may have when it is larger. OSError if unreadable."""
    with path.open("rb") as stream:
        return stream.read(MOST_BYTES + 1)


class WatchedFile:
    """A file that somebody may write at any moment. Nothing but ``look`` and ``read`` touches the disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: Signature | None = None
        self._read: Signature | None = None

    def look(self) -> bool:
        """Whether the file is another one than was read, and has not changed since the last look.

        A writer that is still at it is waited for, and a file is read once, good or bad, until it changes again. That
        it vanished is a change as well.
        """
        now = self._signature()
        rests, self._seen = now == self._seen, now
        return rests and now != self._read

    def read(self) -> bytes:
        """The content as one writer left it. OSError when there is none, or when it changes faster than it is read."""
        self._read = self._seen = self._signature()
        for _ in range(TRIES):
            content = self._content()
            before, self._read = self._read, self._signature()
            if before == self._read:
                return content
        self._read = ()  # whatever it becomes is news
        raise OSError(errno.EAGAIN, "somebody is writing it")

    def _content(self) -> bytes:
        # Without O_NONBLOCK, opening a named pipe would wait for a writer for ever.
        descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            os.close(descriptor)
            folder = stat.S_ISDIR(mode)
            raise OSError(
                *((errno.EISDIR, os.strerror(errno.EISDIR)) if folder else (errno.EINVAL, "not a regular file"))
            )
        with os.fdopen(descriptor, "rb") as stream:
            return stream.read(MOST_BYTES + 1)

    def _signature(self) -> Signature | None:
        """None when there is nothing to read."""
        try:
            found = self.path.stat()
        except OSError:
            return None
        return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
