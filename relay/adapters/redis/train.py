"""Train a dictionary for the codec from events, one JSON object a line: ``python -m relay.adapters.redis.train``.

Events on standard input or in the named files; the dictionary goes to ``--out``. Train on traffic like your own
(personal values are exchanged for made-up ones first), give it the next free number, and ship it with every process
that reads the store.
"""

from __future__ import annotations

import argparse
import fileinput
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson
import zstandard

from relay.adapters.redis.codec import PLAIN, RAW
from relay.adapters.redis.disguise import Disguise

SIZE = 110_000
SORTED_EVERY = 8


def train(events: Iterable[bytes], size: int = SIZE, *, made_up: bool = False) -> bytes:
    """A dictionary of at most ``size`` bytes from events as compact JSON; at least a few hundred are needed.

    Personal values are exchanged first (``disguise``); ``made_up``: there are none.
    """
    disguise = None if made_up else Disguise()
    samples: list[bytes | bytearray | memoryview] = [
        _as_sent(number, orjson.loads(event), disguise) for number, event in enumerate(events)
    ]
    if len(samples) < 200:
        raise ValueError(f"{len(samples)} events are too few: give at least 200, better 20,000")
    return zstandard.train_dictionary(size, samples, level=5, k=2000, d=8).as_bytes()


def _as_sent(number: int, event: Any, disguise: Disguise | None) -> bytes:
    """Some events with their keys sorted: Segment's libraries keep an order, its servers often sort."""
    event = disguise.event(event) if disguise else event
    return orjson.dumps(event, option=0 if number % SORTED_EVERY else orjson.OPT_SORT_KEYS)


def write(dictionary: bytes, folder: Path, number: int) -> Path:
    """Store it as ``<number>.dict``; an existing number is never overwritten, for entries may need it."""
    if not RAW < number < PLAIN:
        raise ValueError(f"a dictionary number lies between 1 and {PLAIN - 1}")
    path = folder / f"{number}.dict"
    with path.open("xb") as file:
        file.write(dictionary)
    return path


def main() -> None:
    """Parse, train, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", help="JSONL files, - is standard input (default)")
    parser.add_argument("--number", type=int, required=True, help="number of the new dictionary, 1 to 30")
    parser.add_argument("--out", type=Path, required=True, help="folder to write <number>.dict into")
    options = parser.parse_args()
    with fileinput.input(options.files or ["-"], mode="rb") as lines:
        dictionary = train(line for line in lines if line.strip())
    write(dictionary, options.out, options.number)


if __name__ == "__main__":
    main()
