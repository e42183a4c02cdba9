"""Cost of mapping beside the cost of decoding and encoding the same events, in one run."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from relay.core.mapping import DestinationMapping, compile_destination, load_presets
from tests.benchmarks.walk import Walker

SLUG = "tiktok-conversions"
ROUNDS = 5
RECEIVED_S = 1_718_454_896
TARGET = 6.0
GOLDEN_TARGET = 5.0
GOLDEN = Path(__file__).resolve().parents[3] / "shared" / "golden" / "tiktok-conversions.jsonl"


def run(events: Sequence[bytes]) -> dict[str, Any]:
    """Web preset with hashing and serialised items, against ``orjson.loads`` + ``orjson.dumps``; medians of 5 rounds.

    An event is mapped right after it was decoded, as in delivery, and the decoding is taken off again.
    Microseconds per event that matches; ``ratio`` is mapping ÷ (decode + encode).
    """
    mapping = compile_destination(SLUG, "PIXEL", load_presets(SLUG))
    raws = [raw for raw in events if mapping.matches(orjson.loads(raw))]

    def decode() -> None:
        for raw in raws:
            orjson.loads(raw)

    def decode_and_encode() -> None:
        for raw in raws:
            orjson.dumps(orjson.loads(raw))

    def decode_and_map() -> None:
        for raw in raws:
            mapping.items(orjson.loads(raw), RECEIVED_S)

    rounds = [[_seconds(work) for work in (decode, decode_and_encode, decode_and_map)] for _ in range(ROUNDS)]
    ratio = statistics.median((mapped - decoded) / codec for decoded, codec, mapped in rounds)
    return {
        "events": len(raws),
        "decode + encode, µs": statistics.median(codec for _, codec, _ in rounds) / len(raws) * 1e6,
        "mapping, µs": statistics.median(mapped - decoded for decoded, _, mapped in rounds) / len(raws) * 1e6,
        "ratio": ratio,
        "target": TARGET,
        "ok": ratio <= TARGET,
    }


def run_golden() -> dict[str, Any]:
    """The same for each golden input on its own, warm: the ratio of the event in the middle.

    These events are odd on purpose, so their mean is dominated by dates no SDK writes. Beside it the same mapping,
    walked anew for each event instead of compiled. Skipped without the golden folder.
    """
    if not GOLDEN.is_file():
        return {"skipped": "the golden data folder is not beside this checkout"}
    mapping, walker = compile_destination(SLUG, "PIXEL", load_presets(SLUG)), Walker(SLUG)
    with GOLDEN.open(encoding="utf-8", newline="\n") as file:
        lines = [json.loads(line) for line in file]
    raws = [json.dumps(line["input"]).encode() for line in lines if line["preset"] and not line["error"]]
    pairs = [(raw, orjson.loads(raw)) for raw in raws if _is_utf8(raw)]
    _demand_equal(mapping, walker, [event for _, event in pairs])
    rows = [
        (
            _microseconds(partial(_codec, raw)),
            _microseconds(partial(mapping.items, event, RECEIVED_S)),
            _microseconds(partial(walker.items, event, RECEIVED_S), repeats=2),
        )
        for raw, event in pairs
    ]
    ratio = statistics.median(mapped / codec for codec, mapped, _ in rows)
    return {
        "events": len(pairs),
        "median ratio": ratio,
        "target": GOLDEN_TARGET,
        "median ratio of a walk": statistics.median(walked / codec for codec, _, walked in rows),
        "a walk is so many times slower": statistics.median(walked / mapped for _, mapped, walked in rows),
        "ok": ratio <= GOLDEN_TARGET,
    }


def _demand_equal(mapping: DestinationMapping, walker: Walker, events: Sequence[Any]) -> None:
    """Two ways are compared only if they lead to the same place. A walk knows nothing of repairs."""
    for event in events:
        bodies = [item.body for item in mapping.items(event, RECEIVED_S) if item.body and not item.repairs]
        if bodies and bodies != walker.items(event, RECEIVED_S):
            raise AssertionError(f"the walk leads elsewhere: {event}")


def _codec(raw: bytes) -> bytes:
    return orjson.dumps(orjson.loads(raw))


def _microseconds(work: Callable[[], object], repeats: int = 20) -> float:
    """Of one call, warm; the best of several rounds."""

    def repeated() -> None:
        for _ in range(repeats):
            work()

    return min(_seconds(repeated) for _ in range(ROUNDS)) / repeats * 1e6


def _is_utf8(raw: bytes) -> bool:
    """Orjson takes no lone surrogates, so there is nothing to compare with."""
    try:
        orjson.loads(raw)
    except orjson.JSONDecodeError:
        return False
    return True


def _seconds(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
