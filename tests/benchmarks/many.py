"""Millions of events for the relay's door: few made-up ones, each sent again and again under ids of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import chain, count

import orjson

from relay.core.mapping import compile_trigger, load_presets
from tests.benchmarks.load import events

TEMPLATES = 20_000
FRESH = 10  # last characters of an id that are made anew: hexadecimal, as random as the ones before


def wanted(seed: int, number: int = TEMPLATES) -> list[tuple[bytes, bytes]]:
    """Of so many made-up events those that a web preset matches, each with its message id."""
    triggers = [compile_trigger(preset["subscribe"]) for preset in load_presets("tiktok-conversions")]
    bodies = [(body, orjson.loads(body)) for body in events(seed, number)]
    return [(body, event["messageId"].encode()) for body, event in bodies if any(one(event) for one in triggers)]


def shops(*seeds: int) -> Iterator[bytes]:
    """Events of several shops in turns, for ever: shops differ in how much they tell."""
    return chain.from_iterable(zip(*map(endless, seeds), strict=True))


def endless(seed: int, number: int = TEMPLATES) -> Iterator[bytes]:
    """Events that are owed, for ever; no two have the same id, and no two seeds share one."""
    templates = wanted(seed, number)
    for turn in count():
        fresh = hashlib.blake2b(b"%d %d" % (seed, turn), digest_size=FRESH // 2)
        for place, (body, message_id) in enumerate(templates):
            end = fresh.copy()
            end.update(b"%d" % place)
            yield body.replace(message_id, message_id[:-FRESH] + end.hexdigest().encode())
