"""Seeds × random replies × crashes × two replicas: the books balance after every step, nothing is lost or doubled."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.conservation.kinds import KINDS, play_on_the_twin, play_on_valkey
from tests.contract.valkey import running_valkey

__all__ = ["running_valkey"]  # a fixture

SEEDS = 12
VALKEY_SEEDS = 6
PROOF_SEEDS = 200
"""Of each kind on each store: 2,400 in all, half of them against Valkey."""

each_kind = pytest.mark.parametrize("kind", KINDS)


@each_kind
async def test_on_the_twin(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the storm has all that the laws are about: otherwise they would hold for nothing."""
    seen = Counter[str]()
    for seed in range(SEEDS):
        seen += (await play_on_the_twin(kind, seed, monkeypatch)).seen()
    assert all(3 * seen[what] > SEEDS for what in KINDS[kind].storm), seen


@each_kind
@pytest.mark.parametrize("seed", range(PROOF_SEEDS, PROOF_SEEDS + VALKEY_SEEDS))
async def test_on_valkey_with_the_real_scripts(
    kind: str, seed: int, running_valkey: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await play_on_valkey(kind, seed, running_valkey, monkeypatch)


@each_kind
@pytest.mark.proof
@pytest.mark.timeout(7200)
async def test_many_seeds_on_the_twin(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(SEEDS, PROOF_SEEDS):
        await play_on_the_twin(kind, seed, monkeypatch)


@each_kind
@pytest.mark.proof
@pytest.mark.timeout(7200)
async def test_many_seeds_on_valkey(kind: str, running_valkey: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(PROOF_SEEDS + VALKEY_SEEDS, 2 * PROOF_SEEDS):
        await play_on_valkey(kind, seed, running_valkey, monkeypatch)
