"""``make bench``: every hot path against a baseline of the same run. Exit code 1 when a target is missed."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

from tests.benchmarks import bench_destinations, bench_drain, bench_intake, bench_mapping, bench_memory, bench_sealing
from tests.benchmarks.load import events

BENCHES: dict[str, Callable[[], dict[str, Any]]] = {
    "mapping": lambda: bench_mapping.run(events(99, 4_000)),
    "golden": bench_mapping.run_golden,
    "memory": bench_memory.run,
    "sealing": bench_sealing.run,
    "intake": bench_intake.run,
    "drain": bench_drain.run,
    "destinations": bench_destinations.run,
}


def show(value: object) -> str:
    """Figures with the digits that mean something."""
    if isinstance(value, float):
        return f"{value:,.3f}" if abs(value) < 100 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def main() -> int:
    """Run the named benches, or all; print each figure."""
    missed = []
    for name in sys.argv[1:] or BENCHES:
        start = time.monotonic()
        figures = BENCHES[name]()
        print(f"\n{name}  ({time.monotonic() - start:.0f} s)", flush=True)
        for key, value in figures.items():
            print(f"  {key:34} {show(value)}", flush=True)
        if figures.get("ok") is False:
            missed.append(name)
    print("\n" + (f"missed: {', '.join(missed)}" if missed else "every target met"))
    return 1 if missed else 0


sys.exit(main())
