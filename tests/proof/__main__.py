"""Run every test marked ``proof`` and every benchmark; write proof.json; exit 1 when anything failed."""

from __future__ import annotations

import json
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

OUT = Path("proof.json")


class Collector:
    """Outcome, seconds and printed figures of each test."""

    def __init__(self) -> None:
        self.rows: list[dict[str, object]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.failed:
            self.rows.append(
                {
                    "test": report.nodeid,
                    "outcome": report.outcome,
                    "seconds": round(report.duration, 1),
                    "said": report.capstdout.strip().splitlines(),
                }
            )


def benches() -> tuple[int, dict[str, dict[str, str]]]:
    """``make bench`` as a child, its table as data."""
    done = subprocess.run([sys.executable, "-m", "tests.benchmarks"], capture_output=True, text=True, check=False)
    print(done.stdout, done.stderr[-2000:])
    found: dict[str, dict[str, str]] = {}
    name = ""
    for line in done.stdout.splitlines():
        if heading := re.match(r"(\w+)  \(\d+ s\)", line):
            name = heading[1]
        elif row := re.match(r"  (\S+)\s+(.+)", line):
            found.setdefault(name, {})[row[1]] = row[2]
    return done.returncode, found


def main() -> int:
    """Everything, and the file."""
    collector = Collector()
    tests = pytest.main(["-m", "proof", "-q", "-p", "no:cacheprovider"], plugins=[collector])
    bench, figures = benches()
    facts = {"python": platform.python_version(), "machine": platform.machine()}
    OUT.write_text(json.dumps({**facts, "tests": collector.rows, "bench": figures}, indent=1) + "\n")
    print(f"figures are in {OUT}")
    return int(bool(tests) or bool(bench))


sys.exit(main())
