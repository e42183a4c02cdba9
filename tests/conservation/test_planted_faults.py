"""The frame must hold weight: each of these faults, planted in the twin or the engine, is found by some seed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.conservation.faults import drain, plain, several, shedding, standby, windows
from tests.conservation.kinds import play_on_the_twin

SEEDS = 120
Plant = Callable[[pytest.MonkeyPatch], None]
FAULTS: dict[str, tuple[Plant, ...]] = {
    "plain": plain.FAULTS,
    "standby": standby.FAULTS,
    "shedding": shedding.FAULTS,
    "several": several.FAULTS,
    "drain": drain.FAULTS,
    "windows": windows.FAULTS,
}


CASES = [
    pytest.param(kind, plant, id=f"{kind}: {plant.__name__}") for kind, plants in FAULTS.items() for plant in plants
]


@pytest.mark.parametrize(("kind", "plant"), CASES)
async def test_is_found(kind: str, plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    for seed in range(SEEDS):
        try:
            await play_on_the_twin(kind, seed, monkeypatch)
        except (AssertionError, ExceptionGroup):
            return
    pytest.fail(f"{plant.__name__} went unseen in {SEEDS} seeds")
