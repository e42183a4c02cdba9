"""Cost of mapping beside the cost of decoding and encoding the same events, in one run."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import orjson

from relay.core.mapping import compile_destination, load_presets

ROUNDS = 5
RECEIVED_S = 1_718_454_896
TARGET = 6.0
GOLDEN = Path(__file__).resolve().parents[3] / "shared" / "golden" / "tiktok-conversions.jsonl"


def run(events: Sequence[bytes]) -> dict[str, Any]:
    """Web preset with hashing and serialised items, against ``orjson.loads`` + ``orjson.dumps``; medians of 5 rounds.

    An event is mapped right after it was decoded, as in delivery, and the decoding is taken off again.
    Microseconds per event that matches; ``ratio`` is mapping ÷ (decode + encode).
    """
    mapping = compile_destination("tiktok-conversions", "PIXEL", load_presets("tiktok-conversions"))
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

    These events are odd on purpose, so their mean is dominated by dates no SDK writes. Empty without the golden folder.
    """
    if not GOLDEN.is_file():
        return {"skipped": "the golden data folder is not beside this checkout"}
    mapping = compile_destination("tiktok-conversions", "PIXEL", load_presets("tiktok-conversions"))
    with GOLDEN.open(encoding="utf-8", newline="\n") as file:
        lines = [json.loads(line) for line in file]
    events = [json.dumps(line["input"]).encode() for line in lines if line["preset"] and not line["error"]]
    ratio = statistics.median(_ratio(raw, mapping.items) for raw in events if _is_utf8(raw))
    return {"events": len(events), "median ratio": ratio, "target": TARGET, "ok": ratio <= TARGET}


def _ratio(raw: bytes, items: Callable[[Any, int], object]) -> float:
    event = orjson.loads(raw)

    def codec() -> None:
        for _ in range(20):
            orjson.dumps(orjson.loads(raw))

    def mapped() -> None:
        for _ in range(20):
            items(event, RECEIVED_S)

    return min(_seconds(mapped) for _ in range(ROUNDS)) / min(_seconds(codec) for _ in range(ROUNDS))


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
