from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from relay.core.segment.people import deleted, identities, names_of

HASH = hashlib.sha256(b"jo@example.com").hexdigest()


@pytest.mark.parametrize(
    ("event", "named"),
    [
        ({"userId": "u1"}, {"user:u1"}),
        ({"userId": 7}, {"user:7"}),
        ({"userId": " Jo@Example.com"}, {"user: Jo@Example.com", "email:jo@example.com"}),
        ({"anonymousId": "a"}, {"anonymous:a"}),
        ({"type": "alias", "userId": "u", "previousId": "p"}, {"user:u", "user:p", "anonymous:p"}),
        ({"traits": {"email": "Jo@Example.com "}}, {"email:jo@example.com"}),
        ({"context": {"traits": {"email": "jo@example.com"}}}, {"email:jo@example.com"}),
        ({"properties": {"email": ["", "jo@example.com", None, "B@c.d"]}}, {"email:jo@example.com", "email:b@c.d"}),
        ({"properties": {"email": HASH.upper()}}, {f"email:{HASH}"}),
        ({"userId": None, "context": None, "traits": [], "properties": "x"}, set()),
        ({"userId": True, "anonymousId": "", "context": {"traits": [1]}}, set()),
        ({}, set()),
    ],
)
def test_who_is_named(event: dict[str, Any], named: set[str]) -> None:
    assert set(identities(event)) == named


def test_an_address_is_looked_for_in_each_of_its_spellings() -> None:
    assert set(names_of(email=" JO@example.com")) == {"email:jo@example.com", f"email:{HASH}"}
    assert names_of(user_id="u1", anonymous_id="a1") == ("user:u1", "anonymous:a1")
    assert set(names_of(user_id="jo@example.com")) == {"user:jo@example.com", "email:jo@example.com", f"email:{HASH}"}
    assert names_of() == ()


def test_a_delete_call_names_its_user(shared: Path) -> None:
    lines = (shared / "data" / "segment_examples.jsonl").read_text("utf-8").splitlines()
    events = [json.loads(line)["event"] for line in lines]
    (call,) = [event for event in events if event.get("type") == "delete"]
    assert deleted(call) == ("user:cus_99999",)
    for event in events:  # whatever shape it has
        assert all(name.partition(":")[2] for name in identities(event))


def test_odd_text_breaks_nothing() -> None:
    assert names_of(email="\ud800@x") == ("email:\ud800@x", names_of(email="\ud800@x")[1])
