"""The deployed alert rules over each drill's metrics: the right alert, and never a shower of them.

Time is stretched (see ``stretched``). A drill as users play it stands for a trouble sixty times as long, a minute for
a second. The short ones here are stretched further, by as much as their trouble was shortened: a second without a valid
token is ten minutes. Only the crash is not: a restart takes as long as it takes, however short the outage before it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from relay.cli.drilling.scenarios import SCENARIOS
from tests.cli.drilling.conftest import SHORT, Troupe
from tests.deploy.stretched import fired

MINUTE = 60.0
MOST = 3
EXPECTED = {
    "outage": {"RelayGateNotClosed"},
    "token": {"RelayHeld"},
    "poison": {"RelayDeadLetters"},
}
"""At least these. A relay that is back within two minutes, or TikTok that throttles for a while, is no reason to wake
anybody; what Segment's own destination loses in silence, nothing of the relay's can know."""

BUSY = {"RelayLoopLagged", "RelayBacklogAge"}
"""What drills that play side by side do to each other, where a second of a late delivery is ten minutes."""

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300), pytest.mark.needs("promtool")]


def stretch(name: str) -> float:
    """Seconds for a second of a short drill."""
    if name == "crash":
        return MINUTE
    words = SHORT[name].split()
    return MINUTE * SCENARIOS[name].trouble / float(words[words.index("--trouble") + 1])


def check(name: str, found: set[str]) -> None:
    print(f"{name}: {', '.join(sorted(found)) or 'no alert'}")
    assert len(found) <= MOST
    assert found >= EXPECTED.get(name, set())
    assert name != "token" or found - BUSY == {"RelayHeld"}, "one alert, and no other, for a token that was revoked"


@pytest.mark.parametrize("name", SHORT)
def test_few_alerts_and_the_right_one(drills: Troupe, root: Path, tmp_path: Path, name: str) -> None:
    metrics = drills.see(name).folder / "metrics.jsonl"
    check(name, fired(metrics, stretch(name), root / "deploy/prometheus/rules.yml", tmp_path))


@pytest.mark.proof
@pytest.mark.parametrize("name", SCENARIOS)
def test_few_alerts_in_full(full: Troupe, root: Path, tmp_path: Path, name: str) -> None:
    metrics = full.see(f"{name}, in full").folder / "metrics.jsonl"
    check(name, fired(metrics, MINUTE, root / "deploy/prometheus/rules.yml", tmp_path))
