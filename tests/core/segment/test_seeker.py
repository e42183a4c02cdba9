from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core.segment.people import identities, names_of
from relay.core.segment.seeker import Seeker

JO = Seeker(names_of(email="Jo+shop@Example.com"))
U1 = Seeker(names_of(user_id="u1"))
HASH = hashlib.sha256(b"jo+shop@example.com").hexdigest()


@pytest.mark.parametrize(
    "raw",
    [
        b'{"properties":{"email":"jo+shop@example.com"}}',
        b'{"traits":{"email":" JO+SHOP@EXAMPLE.COM"}}',
        b'{"context":{"traits":{"email":"jo\\u002Bshop@example.com"}}}',
        b'{"userId":"jo+shop@example.com"}',
        b'{"properties":{"email":"%s"}}' % HASH.upper().encode(),
    ],
)
def test_an_address_is_found_however_it_was_written(raw: bytes) -> None:
    assert JO.may_be_in(raw)
    assert JO.named_in(json.loads(raw))
    assert not U1.named_in(json.loads(raw))


def test_somebody_else_is_passed_over() -> None:
    assert not JO.may_be_in(b'{"properties":{"email":"mara@example.com"}}')
    assert not U1.named_in({"userId": "u12", "anonymousId": "u1"})
    assert not U1.named_in({"userId": "U1"})


@given(st.text(min_size=1, max_size=12), st.booleans())
def test_no_spelling_of_json_hides_an_id(name: str, ascii_only: bool) -> None:  # noqa: FBT001 - drawn
    event = {"userId": name, "properties": {"email": name}}
    raw = json.dumps(event, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    for seeker in (Seeker(names_of(user_id=name)), Seeker(names_of(email=name))):
        if not seeker.named_in(event):
            assert not name.strip()  # nobody's address
            continue
        assert seeker.may_be_in(raw)
    assert f"user:{name}" in set(identities(event))


@pytest.mark.parametrize(
    ("raw", "there"),
    [
        (b'[{"who": "u1"}]', True),
        (b'{"id": u1, "cut', True),
        (b'"u1"', True),
        (b'{"id": "u12"}', False),
        (b"u1", False),
        (b'{"id": "xu1"}', False),
    ],
)
def test_what_is_no_event_is_searched_as_text(raw: bytes, there: bool) -> None:  # noqa: FBT001 - a column
    assert U1.quoted_in(raw) is there


@pytest.mark.parametrize("name", ["a.c", "x+(", "ü", "\\", '"', "\n"])
def test_odd_ids_break_nothing(name: str) -> None:
    seeker, event = Seeker(names_of(user_id=name)), dict[str, Any](userId=name)
    assert seeker.may_be_in(json.dumps(event).encode())
    assert seeker.named_in(event)
    assert seeker.quoted_in(json.dumps([name]).encode())
