"""By what a person is recognised in an event: to refuse, to forget, and to find.

Where Segment puts them (Segment sheet section 3): ``userId``, ``anonymousId`` and an alias' ``previousId`` on the top
level; e-mail addresses in ``traits``, ``context.traits`` and ``properties``. Addresses are compared without regard to
letter case and blanks around them, as TikTok hashes them; an address that was sent as its SHA-256 is the same person,
and so is one that was sent as a user id. Ids are compared as they are: to Segment ``A1`` and ``a1`` are two users.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from relay.core.event import JsonObject

USER, ANONYMOUS, EMAIL = "user:", "anonymous:", "email:"
PLACES = ("traits", "properties")


def identities(event: JsonObject) -> Iterator[str]:
    """Everything in an event that names a person, each with its kind before it; repetitions are possible."""
    for name, kind in (("userId", USER), ("anonymousId", ANONYMOUS), ("previousId", USER), ("previousId", ANONYMOUS)):
        if (id_ := _id(event.get(name))) is not None:
            yield kind + id_
            if kind is USER and "@" in id_:
                yield EMAIL + _folded(id_)
    context = event.get("context")
    holders = [event.get(place) for place in PLACES]
    holders += [context.get("traits")] if isinstance(context, dict) else []
    for holder in holders:
        if isinstance(holder, dict):
            yield from _addresses(holder.get("email"))


def names_of(*, user_id: str = "", anonymous_id: str = "", email: str = "") -> tuple[str, ...]:
    """What to look for when a person is named; the same address counts in each of its spellings."""
    names = [USER + user_id] if user_id else []
    names += [ANONYMOUS + anonymous_id] if anonymous_id else []
    address = email or (user_id if "@" in user_id else "")
    if address:
        folded = _folded(address)
        names += [EMAIL + folded, EMAIL + hashlib.sha256(folded.encode("utf-8", "surrogatepass")).hexdigest()]
    return tuple(dict.fromkeys(names))


def deleted(event: JsonObject) -> tuple[str, ...]:
    """Whom a ``delete`` call is about: Segment forwards privacy deletions by user id (Segment sheet section 1.1)."""
    return names_of(user_id=_id(event.get("userId")) or "", anonymous_id=_id(event.get("anonymousId")) or "")


def _id(value: Any) -> str | None:
    """An id as text; numbers occur, and are the same id."""
    if isinstance(value, str):
        return value or None
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _addresses(value: Any) -> Iterator[str]:
    """One address, or a list of them, as mappings allow."""
    for one in value if isinstance(value, list) else (value,):
        if isinstance(one, str) and (folded := _folded(one)):
            yield EMAIL + folded


def _folded(address: str) -> str:
    return address.strip().lower()
