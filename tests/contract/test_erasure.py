"""Erasing a person over a real server: books, mark, window and leases stay right."""

from __future__ import annotations

import json
from collections.abc import Callable

from relay.adapters.redis import keys
from relay.adapters.redis.store import RedisStore
from relay.core.erasure import Kept, Place
from relay.core.event import (
    Burial,
    DeadReason,
    Lane,
    NewEntry,
    Reject,
    Rest,
    Settlement,
    StreamKey,
    StreamSurvey,
    Worth,
)
from tests.contract.conftest import ORDERS, STREAMS, VIEWS

BIG = 10**9
MINUTE_MS = 60_000


def raw(user: str, number: int = 0) -> bytes:
    return json.dumps({"userId": user, "messageId": f"{user}/{number}"}).encode()


def of(user: str) -> Callable[[bytes], bool]:
    return lambda text: json.loads(text)["userId"] == user


def place(stream: StreamKey) -> Place:
    return Place(Kept.OWED, *stream)


async def owe(store: RedisStore, user: str, count: int, stream: StreamKey = VIEWS, received_ms: int = 1) -> None:
    worth = Worth(2_000_000, "EUR")
    entries = [NewEntry(stream, f"{user}/{n}", raw(user, n), received_ms, "web", worth) for n in range(count)]
    await store.inbox.append(entries)


async def look(store: RedisStore, stream: StreamKey = VIEWS) -> StreamSurvey:
    survey = next(one for one in (await store.owed.survey()).streams if one.stream == stream)
    assert survey.unbalanced == 0
    return survey


async def test_what_is_owed_ends_as_forgotten_wherever_it_stands(redis_store: RedisStore) -> None:
    await owe(redis_store, "u1", 3)
    await owe(redis_store, "u2", 2)
    claimed = await redis_store.owed.claim(VIEWS, Lane.BACKLOG, 1, BIG)  # sets the mark: all of it is backlog
    assert claimed
    await redis_store.owed.settle(claimed.lease, Settlement(rest=Rest.UNCLAIM))
    swept = await redis_store.erasure.sweep(place(VIEWS), of("u1"))
    assert (swept.looked, swept.erased, swept.leased, swept.unreadable) == (5, 3, 0, 0)
    survey = await look(redis_store)
    assert (survey.owed, survey.backlog, survey.books["forgotten"]) == (2, 2, 3)
    assert survey.value_micros == {"EUR": 4_000_000}


async def test_what_is_leased_stays_and_is_counted(redis_store: RedisStore) -> None:
    await owe(redis_store, "u1", 4)
    claimed = await redis_store.owed.claim(VIEWS, Lane.BACKLOG, 2, BIG)
    assert claimed
    swept = await redis_store.erasure.sweep(place(VIEWS), of("u1"))
    assert (swept.erased, swept.leased) == (2, 2)
    settled = await redis_store.owed.settle(claimed.lease, Settlement([entry.id for entry in claimed.entries]))
    assert settled.delivered == 2
    survey = await look(redis_store)
    assert survey.books == {"accepted": 4, "delivered": 2, "forgotten": 2}
    assert (survey.owed, survey.backlog, survey.leased) == (0, 0, 0)


async def test_a_dry_run_erases_nothing_and_pages_go_on(redis_store: RedisStore) -> None:
    await owe(redis_store, "u1", 5)
    first = await redis_store.erasure.sweep(place(VIEWS), of("u1"), limit=3, dry=True)
    second = await redis_store.erasure.sweep(place(VIEWS), of("u1"), after=first.last_id, limit=3, dry=True)
    assert (first.looked, first.erased, second.looked, second.erased) == (3, 3, 2, 2)
    assert (await look(redis_store)).owed == 5


async def test_letters_are_erased_and_booked_and_rejects_give_their_bytes_back(redis_store: RedisStore) -> None:
    await owe(redis_store, "u1", 2)
    claimed = await redis_store.owed.claim(VIEWS, Lane.BACKLOG, 9, BIG)
    assert claimed
    dead = [Burial(entry.id, DeadReason.REFUSED, "no") for entry in claimed.entries]
    await redis_store.owed.settle(claimed.lease, Settlement(dead=dead))
    await redis_store.inbox.append([], [Reject("web", "bad_shape", raw("u1"), 1), Reject("web", "bad", raw("u2"), 1)])
    before = int(await redis_store.client.run("HGET", keys.intake_books(), "bytes"))
    assert (await redis_store.erasure.sweep(Place(Kept.LETTERS, "shop"), of("u1"))).erased == 2
    assert (await redis_store.erasure.sweep(Place(Kept.LETTERS, "-"), of("u1"))).erased == 1
    survey = await look(redis_store)
    assert (survey.books["dead:refused"], survey.books["erased"]) == (2, 2)
    assert 0 < int(await redis_store.client.run("HGET", keys.intake_books(), "bytes")) < before
    assert await redis_store.dead_letters.list("shop") == []
    assert len(await redis_store.dead_letters.list("-")) == 1


async def test_the_archive_is_searched_and_all_places_are_known(redis_store: RedisStore) -> None:
    kept = {b"e": b"\0" + raw("u1"), b"m": b"1|||web"}
    await redis_store.client.run(
        "XADD", keys.archive(VIEWS.klass), "*", *[part for pair in kept.items() for part in pair]
    )
    await owe(redis_store, "u1", 1, ORDERS)
    places = await redis_store.erasure.places()
    assert {(one.kept, one.destination, one.klass) for one in places} >= {
        *((Kept.OWED, *stream) for stream in STREAMS),
        *((Kept.LETTERS, name, None) for name in ("shop", "app", "-")),
        (Kept.ARCHIVE, "", VIEWS.klass),
    }
    assert [one.kept for one in places] == sorted((one.kept for one in places), key=list(Kept).index)
    assert sum(one.length for one in places) == 2
    archive = next(one for one in places if one.kept is Kept.ARCHIVE and one.klass is VIEWS.klass)
    assert (await redis_store.erasure.sweep(archive, of("u1"))).erased == 1
    assert await redis_store.archive.page(VIEWS.klass) == []


async def test_what_cannot_be_read_is_counted_not_erased(redis_store: RedisStore) -> None:
    await redis_store.client.run("XADD", keys.dead("shop"), "*", "e", b"\x21" + bytes(40), "m", "1|||web")
    swept = await redis_store.erasure.sweep(Place(Kept.LETTERS, "shop"), lambda _raw: True)
    assert (swept.looked, swept.erased, swept.unreadable) == (1, 0, 1)
