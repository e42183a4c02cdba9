"""Cases that nobody wrote, answered by Segment's own code and by ours: golden data without an end.

The code comes from the npm registry, as the real senders do. A slice with every test, the same one as long as the
golden files are the same; ``make proof`` asks more, and ``make fuzz`` something new each time.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import missing
from tests.core.mapping.golden import Json, custom_answer, directive_answer, trigger_answer
from tests.core.mapping.mutants import Mutants
from tests.senders.installed import Unavailable, node_senders

SEED = os.environ.get("RELAY_FUZZ") or "2"
FEW, MANY, AT_ONCE = 2_000, 30_000, 2_000
SAME: dict[str, Callable[[Json], bool]] = {
    "directive": directive_answer,
    "trigger": trigger_answer,
    "subscription": custom_answer,
}


def answered(cases: list[Json]) -> list[Json]:
    """The cases with Segment's answers."""
    try:
        folder = node_senders()
    except Unavailable as reason:
        missing(str(reason))
        raise
    child = subprocess.run(
        ["node", str(Path(__file__).with_name("segment.cjs")), str(folder / "package" / "dist" / "destinations")],
        input="".join(f"{json.dumps(case)}\n" for case in cases),
        capture_output=True,
        encoding="utf-8",
        check=True,
        timeout=120,
        env={"PATH": os.environ["PATH"], "TZ": "UTC", "NODE_PATH": str(folder / "node_modules")},
    )
    answers = [json.loads(line) for line in child.stdout.split("\n")[:-1]]  # texts hold other ends of lines
    return [case | answer for case, answer in zip(cases, answers, strict=True)]


def differing(count: int, seed: str) -> list[Json]:
    mutants, found = Mutants(seed), []
    for start in range(0, count, AT_ONCE):
        cases = answered(mutants.cases(min(AT_ONCE, count - start)))
        found += [case for case in cases if not SAME[case["kind"]](case)]
    return found


@pytest.mark.needs("node")
@pytest.mark.timeout(300)  # it may be the first that needs Segment's packages
def test_segments_own_code_agrees() -> None:
    assert differing(FEW, "1") == []


@pytest.mark.proof
@pytest.mark.needs("node")
@pytest.mark.timeout(3_600)
def test_segments_own_code_agrees_in_full() -> None:
    assert differing(MANY, SEED) == []
