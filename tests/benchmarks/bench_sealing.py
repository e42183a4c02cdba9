"""What encryption costs: the codec with a key ÷ the codec without one, on traffic the dictionary has not seen."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import Any

from relay.adapters.redis.codec import Codec, SealingCodec, load_dictionaries
from relay.adapters.redis.sealer import Sealer
from relay.adapters.system import SystemClock
from tests.benchmarks.load import events

ROUNDS = 9
MOST = 6.0
HELD_OUT_SEED = 4711


def run(count: int = 3_000) -> dict[str, Any]:
    """Microseconds and bytes an event; the best of some rounds, plain and sealed by turns."""
    raws, dictionaries = events(HELD_OUT_SEED, count), load_dictionaries()
    sealer = Sealer([os.urandom(32)], SystemClock().now_ms)
    codecs = {"plain": Codec(dictionaries), "sealed": SealingCodec(dictionaries, sealer)}
    best: dict[str, float] = {}
    figures: dict[str, Any] = {}
    for _ in range(ROUNDS):
        for name, codec in codecs.items():
            kept = [codec.encode(raw) for raw in raws]
            figures[f"{name}_bytes"] = sum(map(len, kept)) / count
            for what, work, over in (("encode", codec.encode, raws), ("decode", codec.decode, kept)):
                key = f"{name}_{what}_us"
                best[key] = min(best.get(key, 1e9), micros(work, over))
    ratios = {f"{what}_ratio": best[f"sealed_{what}_us"] / best[f"plain_{what}_us"] for what in ("encode", "decode")}
    return figures | best | ratios | {"ok": max(ratios.values()) <= MOST}


def micros(work: Callable[[bytes], bytes], over: Sequence[bytes]) -> float:
    """An event's share of one pass."""
    start = time.perf_counter()
    for one in over:
        work(one)
    return (time.perf_counter() - start) / len(over) * 1e6
