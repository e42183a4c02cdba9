"""The kinds of worlds, and how one seed of a kind is played on either store."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conservation.drain import DrainWorld
from tests.conservation.several import SeveralWorld
from tests.conservation.shedding import SheddingWorld
from tests.conservation.stage import on_the_twin, on_valkey
from tests.conservation.standby import StandbyWorld
from tests.conservation.windows import WindowsWorld
from tests.conservation.world import World

STEPS = 40
KINDS: dict[str, type[World]] = {
    "plain": World,
    "standby": StandbyWorld,
    "shedding": SheddingWorld,
    "several": SeveralWorld,
    "drain": DrainWorld,
    "windows": WindowsWorld,
}


async def play_on_the_twin(kind: str, seed: int, patch: pytest.MonkeyPatch) -> World:
    world = KINDS[kind]
    with patch.context() as own:
        return await _play(world(seed, on_the_twin(world.names, own, archive=world.archives)), kind)


async def play_on_valkey(kind: str, seed: int, socket: Path, patch: pytest.MonkeyPatch) -> World:
    world = KINDS[kind]
    with patch.context() as own:
        async with on_valkey(world.names, socket, own, archive=world.archives) as stage:
            return await _play(world(seed, stage), kind)


async def _play(world: World, kind: str) -> World:
    try:
        await world.run(STEPS)
    except BaseException as error:
        error.add_note(f"a {kind} world, seed {world.seed}")
        raise
    return world
