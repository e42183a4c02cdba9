"""What Segment signs, and that nothing else passes (Segment sheet section 1.2)."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.core.segment.signature import CLASSIC_LIMIT, FIRST_LIMIT, Cover, cover, sign

SECRET = b"example-shared-secret"
EVENT = (
    b'{"type":"track","event":"Order Completed","properties":{"n":1e-7,"big":1e+21,"name":"Zo\xc3\xab [{\\"x\\"}]"}}'
)
OTHER = b'{"type":"page","messageId":"2"}'
NAMES = {
    "whole_body": Cover.ALL,
    "first_element_raw": Cover.FIRST,
    "first_element_json_value_raw": Cover.FIRST,
}


def signed_vectors(shared: Path) -> list[tuple[bytes, str, bytes, Cover]]:
    lines = (shared / "data" / "segment_http_vectors.jsonl").read_text().splitlines()
    found = [json.loads(line) for line in lines]
    return [
        (
            base64.b64decode(one["body_b64"]),
            one["headers"]["x-signature"],
            one["shared_secret"].encode(),
            NAMES[one["signature_covers"][0]],
        )
        for one in found
        if "shared_secret" in one
    ]


def test_every_recorded_signature_is_recognised_with_what_it_covers(shared: Path) -> None:
    vectors = signed_vectors(shared)
    assert len(vectors) == 7
    for body, signature, secret, expected in vectors:
        assert cover(signature, body, [b"another", secret]) is expected
        assert cover(signature, body, [b"another"]) is Cover.NOTHING
        assert cover(signature, body, []) is Cover.NOTHING


@pytest.mark.parametrize(
    ("body", "part", "expected"),
    [
        (EVENT, EVENT, Cover.ALL),
        (b"[" + EVENT + b"," + OTHER + b"]", EVENT, Cover.FIRST),
        (b" [ " + EVENT + b" , " + OTHER + b"]", EVENT, Cover.FIRST),
        (b'[{"json":' + EVENT + b'},{"json":' + OTHER + b"}]", EVENT, Cover.FIRST),
        (b'[{"json":' + EVENT + b'},{"json":' + OTHER + b"}]", b'{"json":' + EVENT + b"}", Cover.FIRST),
        (b"[" + EVENT + b"," + OTHER + b"]", b"[" + EVENT + b"," + OTHER + b"]", Cover.ALL),
        (b"[" + EVENT + b"," + OTHER + b"]", OTHER, Cover.NOTHING),
        (b'[{"json":' + EVENT + b',"more":1}]', EVENT, Cover.NOTHING),
        (b"[]", b"", Cover.NOTHING),
        (b"", EVENT, Cover.NOTHING),
        (b"[\xff", b"\xff", Cover.NOTHING),
        (b"[" * 5_000, b"[", Cover.NOTHING),
    ],
)
def test_the_forms_in_use_and_the_one_that_is_coming(body: bytes, part: bytes, expected: Cover) -> None:
    assert cover(sign(part, SECRET), body, [SECRET]) is expected


def test_a_classic_webhook_signs_what_it_stringified_again() -> None:
    spelled = b'{ "name": "Zo\\u00eb",\n "n": 1e-7, "s": "a  \\" b" }'
    assert cover(sign(b'{"name":"Zo\\u00eb","n":1e-7,"s":"a  \\" b"}', SECRET), spelled, [SECRET]) is Cover.ALL
    readable = b'{ "name": "Zo\\u00eb", "n": 1 }'
    assert cover(sign('{"name":"Zoë","n":1}'.encode(), SECRET), readable, [SECRET]) is Cover.ALL
    assert cover(sign(b'{"name":"Zoe","n":1}', SECRET), readable, [SECRET]) is Cover.NOTHING


def test_nobody_makes_us_parse_a_large_body_unproved() -> None:
    large = b'{"a": "' + b"x" * CLASSIC_LIMIT + b'"}'
    assert cover(sign(large.replace(b": ", b":"), SECRET), large, [SECRET]) is Cover.NOTHING
    assert cover(sign(large, SECRET), large, [SECRET]) is Cover.ALL


@pytest.mark.parametrize(
    "given", ["", "0" * 40, "ä" * 40, "\udcff" * 40, sign(EVENT, SECRET).upper(), sign(EVENT, SECRET)[:-1]]
)
def test_other_headers_do_not_pass(given: str) -> None:
    assert cover(given, EVENT, [SECRET]) is Cover.NOTHING


BODIES = [EVENT, b"[" + EVENT + b"]", b'[{"json":' + EVENT + b"}]"]


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(BODIES), st.data())
def test_no_changed_byte_passes(body: bytes, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(body) - 1))
    put = data.draw(st.one_of(st.binary(min_size=1, max_size=1), st.just(b"")))
    changed = body[:place] + put + body[place + 1 :]
    signature = sign(EVENT, SECRET)
    if changed != body and EVENT not in changed:
        assert cover(signature, changed, [SECRET]) is Cover.NOTHING


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_no_changed_header_passes(data: st.DataObject) -> None:
    signature = sign(EVENT, SECRET)
    place = data.draw(st.integers(0, len(signature)))
    changed = signature[:place] + data.draw(st.text(max_size=2)) + signature[place + data.draw(st.integers(0, 2)) :]
    assert (cover(changed, EVENT, [SECRET]) is Cover.ALL) == (changed == signature)


def test_the_first_element_is_looked_for_where_an_event_can_end() -> None:
    """Nobody may have megabytes parsed before having proved anything."""
    first = b'{"a":"\xc3\xa9"}'
    long = b"[" + first + b',"' + "é".encode() * FIRST_LIMIT + b'"]'
    assert cover(sign(first, b"s"), long, [b"s"]) is Cover.FIRST
    huge = b'{"a":"' + b"x" * FIRST_LIMIT + b'"}'
    assert cover(sign(huge, b"s"), b"[" + huge + b"]", [b"s"]) is Cover.NOTHING
