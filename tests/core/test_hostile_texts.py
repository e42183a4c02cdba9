"""A megabyte of one text in every place that anybody looks at: each look takes time in proportion to its length.

What needs the square of it would take minutes, and the process with it. The bound, in time of the processor, tells
the two apart on any machine; an alarm ends what is beyond it.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import orjson
import pytest

from relay.adapters.observe.scrub import harmless, scrubbed
from relay.core.javascript.dates import epoch_milliseconds, epoch_seconds
from relay.core.javascript.numbers import number_of
from relay.core.javascript.urls import query_value
from relay.core.mapping import MappingError, compile_destination, compile_mapping, load_presets
from relay.core.mapping.presets import SLUGS
from relay.core.mapping.repair.amounts import amount
from relay.core.segment.consent import forbidden_by_consent
from relay.core.segment.decode import Arrival, sdk_event, webhook_event
from relay.core.segment.envelope import open_envelope
from relay.core.segment.people import identities, names_of
from relay.core.segment.seeker import Seeker
from relay.core.segment.signature import cover
from relay.core.segment.timing import correct_time, read_time
from relay.core.segment.worth import appraise
from tests.core.mapping.hostile import READ, Tree

SIZE = 1_000_000
WITHIN_S = 2.0
PIECES = {
    "blanks": " ",
    "wide blanks": "\u3000",
    "line feeds": "\n",
    "parentheses": "(",
    "both parentheses": "()",
    "addresses": "a@",
    "digits": "1",
    "zeros": "0",
    "double quotes": '"',
    "single quotes": "'",
    "backslashes": "\\",
    "brackets": "[",
    "closing brackets": "]",
    "braces": "{{",
    "tags": "<!--",
    "signs": "+-",
    "dots": "1.",
    "commas": "1,",
    "colons": "1:",
    "words": "jan ",
    "escapes": "%41",
    "broken escapes": "%4",
    "entities": "&amp",
    "parameters": "&ttclid",
    "other parameters": "&ttclidx",
    "questions": "?ttclid",
    "hashes": "#",
    "slashes": "/",
    "letters": "a",
    "accents": "\u00e9",
}
AROUND = (("", ""), ("x", "y"), ("2024-01-15 ", "y"), ("https://a.example/?", "y"))


@contextmanager
def in_time() -> Iterator[None]:
    def late(*_: Any) -> None:
        raise TimeoutError(f"more than {WITHIN_S:g} s of the processor")

    before = signal.signal(signal.SIGPROF, late)
    signal.setitimer(signal.ITIMER_PROF, WITHIN_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def everywhere(node: Tree, text: str) -> Any:
    """The text at every place that the presets read."""
    if not node:
        return text
    if "[]" in node:
        return [everywhere(node["[]"], text)]
    return {name: everywhere(inner, text) for name, inner in node.items()}


def event_of(text: str) -> Any:
    places = everywhere(READ, text)
    return {**places, "type": "track", "event": "Order Completed", "messageId": "m", "sentAt": text, "timestamp": text}


def arrives(text: str) -> None:
    """Through either door, and all that is asked of an event there."""
    item = {"type": "track", "event": text, "userId": text, "properties": {"email": text, "value": text}}
    item |= {"sentAt": text, "timestamp": text, "context": {"library": {"name": text}, "traits": {"email": text}}}
    raw = orjson.dumps(item)
    open_envelope(raw, 10)
    open_envelope(text.encode(), 10)
    cover(text, raw, [b"secret"])
    cover("0" * 40, b"[" + raw + b"]", [b"secret"])
    cover("0" * 40, text.encode(), [b"secret"])
    cover("0" * 40, b"[" + text.encode(), [b"secret"])
    webhook_event(item, raw, 64)
    webhook_event({**item, "request_ip": text}, None, 64)
    sdk_event(item, Arrival(5, "track", text), 64)
    appraise(item)
    forbidden_by_consent(item, frozenset({text}))
    list(identities(item))


def is_read(text: str) -> None:
    """As numbers, dates and addresses, each by itself."""
    correct_time({"originalTimestamp": text}, text, 5)
    read_time(text)
    epoch_seconds(text)
    epoch_milliseconds(text)
    number_of(text)
    amount(text)
    query_value(text, "ttclid")


def is_mapped(text: str) -> None:
    event = event_of(text)
    for destination in DESTINATIONS:
        assert len(destination.items(event, 5)) == len(destination.matches(event))


def is_filled_in(text: str) -> None:
    """By a template of the mapping, and by one that is the text itself."""
    for mapping in ({"@template": "{{properties.a}}"}, {"@template": {"@path": "$.properties.a"}}):
        with suppress(MappingError):
            compile_mapping({"x": mapping})({"properties": {"a": text}})


def is_told(text: str) -> None:
    """In a log, and where somebody is looked for in what is no JSON."""
    scrubbed(text)
    harmless(text)
    seeker = Seeker(names_of(user_id="u", email="a@b.example"))
    seeker.quoted_in(f'"userId" {text}'.encode())
    seeker.may_be_in(text.encode())


DESTINATIONS = [compile_destination(slug, "ID", load_presets(slug)) for slug in SLUGS]
PLACES = 8  # of an event that share the megabyte
LOOKS: dict[Callable[[str], None], int] = {
    is_read: SIZE,
    is_told: SIZE,
    is_filled_in: SIZE,
    arrives: SIZE // PLACES,
    is_mapped: SIZE // PLACES,
}


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.__name__)
@pytest.mark.parametrize("name", PIECES)
def test_a_megabyte_of_anything_takes_no_more_than_its_time(name: str, look: Callable[[str], None]) -> None:
    piece = PIECES[name]
    for start, end in AROUND:
        with in_time():
            look(start + piece * (LOOKS[look] // len(piece)) + end)
