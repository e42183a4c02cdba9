"""Segment's own senders from the package registries, pinned by hash, installed once into ``build/`` (not in git).

Another pin makes another folder. What cannot be installed is Unavailable, with the reason.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.conftest import ROOT

HERE = Path(__file__).parent
FOLDER = ROOT / "build" / "senders"
REQUIREMENTS = ("requirements.txt", "requirements-2.3.4.txt")
# Its own dependencies are half of a registry, and none of them is needed to load a few destinations: only their files.
DESTINATIONS = "@segment/action-destinations@3.497.0"
DESTINATIONS_SHA512 = "b9DztTrR1XrfBu/0UyUgTXNfv7s5gpjBPO/w7C8aW6IHsSMSMte7wNdVHzGsujJ4P43g7cKsWb5zuV2BdVn/UA=="
FILES = (
    "package/package.json",
    "package/dist/destinations/webhook/",
    "package/dist/destinations/webhook-extensible/",
    "package/dist/destinations/tiktok-conversions/",
    "package/dist/destinations/tiktok-app-events/",
    "package/dist/destinations/tiktok-offline-conversions/",
    "package/dist/lib/hashing-utils.js",
)
# Without a network the answer should come soon.
NPM = ("npm", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error", "--fetch-retries=1")
PIP = ("pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile", "--retries=1", "--timeout=20")
PATIENCE = 100.0


class Unavailable(Exception):
    """A registry or a tool is not there; the message says which."""


def python_senders() -> Path:
    """A folder with one import path for each requirements file, named like the file."""
    texts = [(HERE / name).read_text(encoding="utf-8") for name in REQUIREMENTS]
    return _once("python", "".join(texts) + sys.version, _install_python)


def node_senders() -> Path:
    """A folder with ``node_modules``."""
    if not shutil.which("node") or not shutil.which("npm"):
        raise Unavailable("needs node and npm, which are not installed")
    pins = (HERE / "package-lock.json").read_text(encoding="utf-8") + DESTINATIONS_SHA512 + str(FILES)
    return _once("node", pins, _install_node)


def _once(name: str, pins: str, install: Callable[[Path], None]) -> Path:
    """Installed beside its place and moved there whole: an interrupted run leaves nothing that looks finished."""
    place = FOLDER / f"{name}-{hashlib.sha256(pins.encode()).hexdigest()[:12]}"
    if place.is_dir():
        return place
    FOLDER.mkdir(parents=True, exist_ok=True)
    trial = Path(tempfile.mkdtemp(dir=FOLDER))
    try:
        install(trial)
        with contextlib.suppress(OSError):  # somebody else was faster
            trial.rename(place)
    finally:
        shutil.rmtree(trial, ignore_errors=True)
    return place


def _run(folder: Path, *command: str) -> None:
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=PATIENCE)
    except subprocess.CalledProcessError as error:
        said = [line for line in (error.stderr + error.stdout).splitlines() if "error" in line.lower()]
        raise Unavailable(f"could not install the senders: {said[0] if said else error}") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"could not install the senders: {error}") from None


def _install_python(folder: Path) -> None:
    for name in REQUIREMENTS:
        pinned = ("--require-hashes", "--no-deps", "--only-binary=:all:", "--requirement", str(HERE / name))
        _run(folder, sys.executable, "-m", *PIP, *pinned, "--target", str(folder / name))


def _install_node(folder: Path) -> None:
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, folder)
    _run(folder, *NPM, "ci")
    _run(folder, *NPM, "pack", "--silent", DESTINATIONS)
    (packed,) = folder.glob("*.tgz")
    found = base64.b64encode(hashlib.sha512(packed.read_bytes()).digest()).decode()
    if found != DESTINATIONS_SHA512:
        raise Unavailable(f"{DESTINATIONS} is not the pinned file: sha512-{found}")
    with tarfile.open(packed) as tar:
        wanted = [one for one in tar if one.name.startswith(FILES) and "__test__" not in one.name]
        tar.extractall(folder, wanted, filter="data")
    packed.unlink()
