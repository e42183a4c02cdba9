"""Drills as users start them: short ones, two at a time, each played once for all the tests that look at it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.e2e.processes import clean_environ

SHORT = {
    "outage": "--seconds 2 --trouble 1",
    "throttle": "--seconds 2 --trouble 2.4",
    "token": "--seconds 2 --trouble 1",
    "poison": "--seconds 2 --trouble 2 --rate 200",
    "crash": "--seconds 2 --trouble 1",
    "standby": "--seconds 2 --trouble 2",
}
"""Long enough for everything a scenario is about, not for a pretty picture."""


def serving(script: str) -> str:
    """``--serve`` with a script of this folder."""
    return f'"{sys.executable}" "{Path(__file__).parent / script}"'


CONTROLS = {
    "outage, nothing removed": [*SHORT["outage"].split(), "--unforgiving"],
    "outage, nothing remembered": [*SHORT["outage"].split(), "--unforgiving", "--serve", serving("without_dedupe.py")],
    "token, never replaced": ["--seconds", "2", "--trouble", "1", "--patience", "2", "--negligent"],
    "standby, nothing removed": ["--seconds", "2", "--trouble", "1", "--unforgiving"],
    "throttle, never slow": [*SHORT["throttle"].split(), "--serve", serving("never_slow.py")],
    "poison, whole calls": [*SHORT["poison"].split(), "--patience", "5", "--serve", serving("whole_batches.py")],
    "crash, no file": [*SHORT["crash"].split(), "--patience", "10", "--serve", serving("without_file.py")],
}
"""Where something is broken on purpose."""


@dataclass(frozen=True)
class Played:
    """What became of one drill. ``folder`` holds ``metrics.jsonl``, and the report where there was an incident.

    Not of a control: that may have a relay whose incidents take minutes to close.
    """

    code: int
    ledger: dict[str, Any]
    folder: Path

    def promises(self) -> dict[str, bool]:
        """Said → kept."""
        return {promise["said"]: promise["kept"] for promise in self.ledger["promises"]}

    @property
    def only_late(self) -> bool:
        """Everything as it should be, but for a promise about a time."""
        broken = [said for said, kept in self.promises().items() if not kept]
        harmless = not (self.ledger["lost"] or self.ledger["doubled"] or self.ledger["unbalanced"])
        return harmless and bool(broken) and all(" after " in said for said in broken)


def in_time(name: str, options: list[str], folder: Path) -> Played:
    """One of two must be in time: the other may meet a machine that is busy with something else."""
    first = played(name, options, folder)
    return played(name, options, folder / "again") if first.only_late else first


def played(name: str, options: list[str], folder: Path) -> Played:
    """One drill as a process, stopped when it takes too long."""
    scenario, folder = name.partition(",")[0], folder / name.replace(", ", "-").replace(" ", "-")
    folder.mkdir(parents=True)
    command = [sys.executable, "-m", "relay", "drill", "--json", "--scenario", scenario, *options]
    if name not in CONTROLS:
        command += ["--report", str(folder / "report"), "--metrics", str(folder / "metrics.jsonl")]
    done = subprocess.run(
        command,
        env=clean_environ(PYTHONPATH=str(ROOT)),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.stdout, done.stderr
    assert "Traceback" not in done.stderr
    return Played(done.returncode, json.loads(done.stdout), folder)


@dataclass
class Troupe:
    """Plays drills two at a time, in the order in which they are asked for."""

    pool: ThreadPoolExecutor
    folder: Path
    asked: dict[str, Future[Played]]

    def ask(self, name: str, *options: str) -> None:
        """Begin, unless it was asked for before."""
        if name not in self.asked:
            self.asked[name] = self.pool.submit(in_time, name, list(options), self.folder)

    def see(self, name: str) -> Played:
        """Wait for one that was asked for."""
        return self.asked[name].result()


@pytest.fixture(scope="session")
def troupe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Troupe]:
    """Two stages."""
    pool = ThreadPoolExecutor(2)
    yield Troupe(pool, tmp_path_factory.mktemp("drills"), {})
    pool.shutdown(cancel_futures=True)


@pytest.fixture(scope="session")
def drills(troupe: Troupe) -> Troupe:
    """All scenarios, short, and the first of the controls."""
    for name, options in SHORT.items():
        troupe.ask(name, *options.split())
    return troupe


@pytest.fixture(scope="session")
def full(troupe: Troupe) -> Troupe:
    """All scenarios as users play them."""
    for name in SHORT:
        troupe.ask(f"{name}, in full")
    return troupe
