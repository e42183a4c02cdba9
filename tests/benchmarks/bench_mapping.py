"""Cost of mapping beside the cost of decoding and encoding the same events, in one run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence

import orjson

from relay.core.mapping import compile_destination, load_presets

ROUNDS = 5
RECEIVED_S = 1_718_454_896


def run(events: Sequence[bytes]) -> dict[str, float]:
    """Web preset with hashing and serialised items, against ``orjson.loads`` + ``orjson.dumps``. Medians of 5.

    Microseconds per event; ``ratio`` is the median of the ratios of rounds, ``events`` how many of them match.
    """
    mapping = compile_destination("tiktok-conversions", "PIXEL", load_presets("tiktok-conversions"))
    raws = [raw for raw in events if mapping.matches(orjson.loads(raw))]
    decoded = [orjson.loads(raw) for raw in raws]

    def codec() -> None:
        for raw in raws:
            orjson.dumps(orjson.loads(raw))

    def mapped() -> None:
        for event in decoded:
            mapping.items(event, RECEIVED_S)

    rounds = [(_microseconds(codec, len(raws)), _microseconds(mapped, len(raws))) for _ in range(ROUNDS)]
    return {
        "events": len(raws),
        "codec_us": statistics.median(codec_us for codec_us, _ in rounds),
        "mapping_us": statistics.median(mapping_us for _, mapping_us in rounds),
        "ratio": statistics.median(mapping_us / codec_us for codec_us, mapping_us in rounds),
    }


def _microseconds(work: Callable[[], None], events: int) -> float:
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) / max(events, 1) * 1e6
