"""What Segment signs, and that nothing else passes (Segment sheet section 1.2)."""

from __future__ import annotations

import base64
import hmac
import json
import random
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.core.segment import signature as module
from relay.core.segment.envelope import Envelope, Unreadable, open_envelope
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


ARRAY_OF = b"[" + EVENT + b"," + OTHER + b"]"
WRAPPED = b'[{"json":' + EVENT + b'},{"json":' + OTHER + b"}]"
# A body, the bytes in it that the sender signed, and how much that vouches for.
SIGNED = [
    (EVENT, EVENT, Cover.ALL),
    (ARRAY_OF, EVENT, Cover.FIRST),
    (WRAPPED, EVENT, Cover.FIRST),
    (ARRAY_OF, ARRAY_OF, Cover.ALL),
]
ROUNDS, IN_A_ROUND = 250, 20  # 5,000 changes of the body and 5,000 of the header


def mutated(body: bytes, dice: random.Random) -> bytes:
    """``body`` with one small thing wrong: a bit, a byte, a piece twice, gone, elsewhere, or something in between."""
    place, other = sorted(dice.choices(range(len(body)), k=2))
    piece = body[place : place + dice.randint(1, 12)]
    return dice.choice(
        [
            body[:place] + bytes([body[place] ^ 1 << dice.randrange(8)]) + body[place + 1 :],
            body[:place] + dice.randbytes(1) + body[place + 1 :],
            body[:place] + dice.randbytes(dice.randint(1, 4)) + body[place:],
            body[:place] + dice.choice([b" ", b"\n", b'"', b"{", b"]", b",", b"\\", b"0", b"\0"]) + body[place:],
            body[:place] + body[place + len(piece) :],
            body[:place] + piece + body[place:],
            body[:other] + piece + body[other:],
            body[:place],
            body[:place] + body[place:].swapcase(),
        ]
    )


def says_the_same(one: bytes, other: bytes) -> bool:
    """Whether two texts differ in blanks or spelling alone: a classic webhook signs what it stringified again."""
    try:
        return json.dumps(json.loads(one)) == json.dumps(json.loads(other))
    except ValueError:
        return False


@settings(max_examples=ROUNDS, deadline=None)
@given(st.randoms(use_true_random=False))
def test_no_change_of_what_was_signed_passes(dice: random.Random) -> None:
    done = 0
    while done < IN_A_ROUND:
        body, part, expected = dice.choice(SIGNED)
        signature = sign(part, SECRET)
        assert cover(signature, body, [SECRET]) is expected
        start = body.index(part)
        changed = mutated(part, dice)
        if changed == part or says_the_same(changed, part) or (expected is Cover.FIRST and changed.startswith(part)):
            continue  # nothing that was signed is changed
        done += 1
        found = cover(signature, body[:start] + changed + body[start + len(part) :], [SECRET])
        assert found is Cover.NOTHING, changed


INSERTED = [
    b',"json":' + OTHER,
    b',"js\\u006fn":' + OTHER,
    b',"body":' + OTHER,
    b'"json":' + OTHER + b",",
    b'{"json":',
    OTHER + b",",
    b"," + OTHER,
    b"}",
    b"]",
    b"[",
    b"\0",
    b"NaN,",
    b"\xef\xbb\xbf",
]


def changed_around(body: bytes, dice: random.Random) -> bytes:
    """``body`` with something put between two of its words, which mere noise would seldom leave readable."""
    edges = [place for place, byte in enumerate(body) if byte in b'{}[],:"'] + [len(body)]
    place = dice.choice(edges) + dice.randint(0, 1)
    return body[:place] + dice.choice(INSERTED) + body[place:]


@settings(max_examples=ROUNDS, deadline=None)
@given(st.randoms(use_true_random=False))
def test_what_a_signature_vouches_for_is_what_is_read(dice: random.Random) -> None:
    """Also when what was not signed is changed: the wrapper, what is around the first element, and the rest."""
    for _ in range(IN_A_ROUND):
        body, part, _ = dice.choice(SIGNED)
        changed = (mutated if dice.random() < 0.2 else changed_around)(body, dice)
        found = cover(sign(part, SECRET), changed, [SECRET])
        opened = open_envelope(changed, 10)
        if found is Cover.NOTHING or isinstance(opened, Unreadable):
            continue
        meant = open_envelope(part, 10)
        assert isinstance(meant, Envelope)
        read = opened.items if found is Cover.ALL else opened.items[:1]
        assert read == meant.items, changed


@settings(max_examples=ROUNDS, deadline=None)
@given(st.randoms(use_true_random=False))
def test_no_change_of_the_header_passes(dice: random.Random) -> None:
    done = 0
    while done < IN_A_ROUND:
        body, part, _ = dice.choice(SIGNED)
        signature = sign(part, SECRET)
        changed = mutated(signature.encode(), dice).decode("utf-8", "surrogateescape")
        if changed == signature:
            continue
        done += 1
        assert cover(changed, body, [b"another", SECRET]) is Cover.NOTHING, changed


def test_blanks_alone_do_not_change_what_one_event_says() -> None:
    """The one freedom there is: a single event, because of classic webhooks, and only between its words."""
    spaced = EVENT.replace(b",", b" ,\n", 1)
    assert cover(sign(EVENT, SECRET), spaced, [SECRET]) is Cover.ALL
    assert cover(sign(EVENT, SECRET), EVENT.replace(b"Order Completed", b"Order  Completed"), [SECRET]) is Cover.NOTHING
    assert cover(sign(ARRAY_OF, SECRET), ARRAY_OF.replace(b",", b", ", 1), [SECRET]) is Cover.NOTHING
    assert cover(sign(EVENT, SECRET), ARRAY_OF.replace(b",", b", ", 1), [SECRET]) is Cover.NOTHING


def test_an_array_that_was_signed_is_no_element_of_another() -> None:
    for body in (b"[" + ARRAY_OF + b"]", b"[" + ARRAY_OF + b"," + OTHER + b"]", b'[{"json":' + ARRAY_OF + b"}]"):
        assert cover(sign(ARRAY_OF, SECRET), body, [SECRET]) is Cover.NOTHING


@pytest.mark.parametrize(
    ("forged", "expected"),
    [
        (b"[" + EVENT + b"]", Cover.FIRST),
        (b"[" + EVENT + b"," + OTHER + b"," + OTHER + b"]", Cover.FIRST),  # the rest needs a token
        (b"[" + OTHER + b"," + EVENT + b"]", Cover.NOTHING),
        (b'{"batch":[' + EVENT + b"]}", Cover.NOTHING),
        (b'[{"json":' + EVENT + b',"type":"track"}]', Cover.NOTHING),
        (b'[{"type":"track","json":' + EVENT + b"}]", Cover.NOTHING),
        (b'[{"body":' + EVENT + b"}]", Cover.NOTHING),
        (b"[[" + EVENT + b"]]", Cover.NOTHING),
        (b"\x0b" + EVENT, Cover.NOTHING),  # blank for Python, not for JSON
        (b"\xc2\xa0[" + EVENT + b"]", Cover.NOTHING),
        (EVENT.replace(b"21", b"2 1"), Cover.NOTHING),
        (b'{"json":' + EVENT + b"}", Cover.NOTHING),
        (EVENT + EVENT, Cover.NOTHING),
        (EVENT + b"\0", Cover.NOTHING),
        (b"\xef\xbb\xbf" + EVENT, Cover.NOTHING),
        (EVENT[:-1] + b',"event":"Forged"}', Cover.NOTHING),
        (b'[{"json":' + EVENT + b',"json":' + OTHER + b"}]", Cover.NOTHING),  # who reads it takes the last
        (b'[{"json":' + EVENT + b',"js\\u006fn":' + OTHER + b"}]", Cover.NOTHING),
        (b'[{"js\\u006fn":' + OTHER + b',"json":' + EVENT + b"}]", Cover.NOTHING),
        (b'[{"json":' + OTHER + b',"json":' + EVENT + b"}]", Cover.NOTHING),
        (b'[{"json":' + EVENT + b',"json":' + EVENT + b"}]", Cover.NOTHING),
        (b'[{"json":' + EVENT + b',"json":{"json":' + OTHER + b"}}]", Cover.NOTHING),
        (b'[{"json":' + EVENT + b',"body":' + OTHER + b"}]", Cover.NOTHING),
        (b'[{"json":' + EVENT + b',"json":' + OTHER + b'},{"json":' + EVENT + b"}]", Cover.NOTHING),
        (b'[{"json":' + EVENT + b',"":0}]', Cover.NOTHING),
        (b'[{"json":{"json":' + EVENT + b"}}]", Cover.NOTHING),
        (b'[ { "json" : ' + EVENT + b" } ]", Cover.FIRST),
        (b"[" + EVENT + b":" + OTHER + b"]", Cover.NOTHING),
        (b"[" + EVENT, Cover.NOTHING),
        (b"\xef\xbb\xbf[" + EVENT + b"]", Cover.NOTHING),
        (b"[\0" + EVENT + b"]", Cover.NOTHING),
        (("[" + EVENT.decode() + "]").encode("utf-16"), Cover.NOTHING),
        (("[" + EVENT.decode() + "]").encode("utf-16-le"), Cover.NOTHING),
        (("[" + EVENT.decode() + "]").encode("utf-32-be"), Cover.NOTHING),
    ],
)
def test_a_captured_signature_vouches_for_that_event_and_no_other(forged: bytes, expected: Cover) -> None:
    assert cover(sign(EVENT, SECRET), forged, [SECRET]) is expected


def test_every_secret_is_compared_in_constant_time_whichever_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []

    def watched(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return hmac.compare_digest(one, other)

    watching = SimpleNamespace(compare_digest=watched, new=hmac.new, HMAC=hmac.HMAC, digest=hmac.digest)
    monkeypatch.setattr(module, "hmac", watching)
    for secrets in ([SECRET, b"b", b"c"], [b"a", SECRET, b"c"], [b"a", b"b", SECRET]):
        compared.clear()
        assert cover(sign(EVENT, SECRET), EVENT, secrets) is Cover.ALL
        assert len(compared) == len(secrets)


def test_the_first_element_is_looked_for_where_an_event_can_end() -> None:
    """Nobody may have megabytes parsed before having proved anything."""
    first = b'{"a":"\xc3\xa9"}'
    long = b"[" + first + b',"' + "é".encode() * FIRST_LIMIT + b'"]'
    assert cover(sign(first, b"s"), long, [b"s"]) is Cover.FIRST
    huge = b'{"a":"' + b"x" * FIRST_LIMIT + b'"}'
    assert cover(sign(huge, b"s"), b"[" + huge + b"]", [b"s"]) is Cover.NOTHING
