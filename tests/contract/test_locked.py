"""Keys of encryption over a real server: what is missing stops, and nothing is ended because of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from relay.adapters.redis import keys
from relay.adapters.redis.connect import connect
from relay.adapters.redis.health import Level, examine
from relay.adapters.redis.options import StoreOptions
from relay.adapters.redis.sealing import key_id
from relay.adapters.redis.store import RedisStore
from relay.adapters.system import SystemClock
from relay.core.errors import StoreMismatch, StoreMisused
from relay.core.event import Burial, DeadReason, Lane, NewEntry, Reject, Rest, Settlement
from relay.engine.replay_scan import archived_of
from tests.contract.conftest import STREAMS, VIEWS

OLD, NEW = bytes(range(32)), bytes(range(100, 132))
BIG = 1_000_000
EMAIL = b"jo@example.com"
EVENT = b'{"messageId":"m-1","type":"track","properties":{"email":"%s"}}' % EMAIL


@pytest.fixture
async def socket(running_valkey: Path) -> AsyncIterator[Path]:
    yield running_valkey
    client = connect(f"unix://{running_valkey}")
    await client.run("FLUSHALL")
    await client.close()


@asynccontextmanager
async def opened(
    socket: Path, *listed: bytes, lost: tuple[str, ...] = (), archive: bool = False
) -> AsyncIterator[RedisStore]:
    options = StoreOptions(encryption_keys=listed, lost_keys=lost, archive=archive)
    client = connect(f"unix://{socket}")
    try:
        yield await RedisStore.open(client, STREAMS, SystemClock(), options)
    finally:
        await client.close()


def entry(name: str, raw: bytes = EVENT) -> NewEntry:
    return NewEntry(VIEWS, name, raw, SystemClock().now_ms(), "web")


async def bury_one(store: RedisStore, message: str = "no e-mail: 'jo@example.com'") -> None:
    claimed = await store.owed.claim(VIEWS, Lane.LIVE, 1, BIG)
    assert claimed
    burial = Burial(claimed.entries[0].id, DeadReason.UNMAPPABLE, message)
    await store.owed.settle(claimed.lease, Settlement(dead=[burial]))


async def test_nothing_readable_is_kept_and_everything_can_be_read(socket: Path) -> None:
    async with opened(socket, NEW) as store:
        await store.inbox.append([entry("a"), entry("b")], [Reject("web", "bad_shape", EMAIL, 1)])
        await bury_one(store)
        for name in await store.client.run("KEYS", "relay:*:[od]*"):
            if await store.client.run("TYPE", name) == b"stream":
                assert EMAIL not in repr(await store.client.run("XRANGE", name, "-", "+")).encode()
        (letter,) = await store.dead_letters.list("shop")
        assert (letter.raw, letter.message) == (EVENT, "no e-mail: 'jo@example.com'")
        assert (await store.dead_letters.list("-"))[0].raw == EMAIL
        page = await store.tracks.search(VIEWS, b"m-1")
        assert [found.raw for _, found in page.found] == [EVENT]


async def test_a_relay_without_the_key_does_not_start_and_one_that_lists_it_does(socket: Path) -> None:
    async with opened(socket, OLD) as store:
        await store.inbox.append([entry("a")])
    for wrong in ((), (NEW,)):
        with pytest.raises(StoreMismatch, match=rf"key {key_id(OLD)} .*owed:shop:engagement.*journal.lost_keys"):
            async with opened(socket, *wrong):
                pass
    async with opened(socket, NEW, OLD) as store:
        claimed = await store.owed.claim(VIEWS, Lane.LIVE, 9, BIG)
        assert claimed
        assert claimed.entries[0].raw == EVENT
        await store.owed.settle(claimed.lease, Settlement(delivered=[claimed.entries[0].id]))
    async with opened(socket, NEW) as store:  # nothing of the old key is left
        assert await store.client.run("HGET", keys.meta(), f"key:{key_id(OLD)}") == b"0", "no need to look again"
    async with opened(socket, OLD, NEW) as store:
        assert await store.client.run("HGET", keys.meta(), f"key:{key_id(OLD)}") == b"1"


@pytest.mark.parametrize("listed", [(), (NEW,)])
async def test_what_another_replica_sealed_with_an_unknown_key_stays_owed(
    socket: Path, listed: tuple[bytes, ...]
) -> None:
    async with opened(socket, *listed) as behind, opened(socket, OLD) as ahead:
        await ahead.inbox.append([entry("a")])
        with pytest.raises(StoreMisused, match=f"key {key_id(OLD)}.*stay owed"):
            await behind.owed.claim(VIEWS, Lane.LIVE, 9, BIG)
        claimed = await ahead.owed.claim(VIEWS, Lane.LIVE, 9, BIG)
        assert claimed
        assert claimed.fresh
        await ahead.owed.settle(claimed.lease, Settlement(rest=Rest.RELEASE))
        with pytest.raises(StoreMisused):
            await behind.owed.claim(VIEWS, Lane.LIVE, 9, BIG)
        again = await ahead.owed.claim(VIEWS, Lane.LIVE, 9, BIG)
        assert again
        assert (again.fresh, again.lease.first_ms) == (False, claimed.lease.first_ms)
        assert (await ahead.owed.survey()).streams[1].unbalanced == 0


async def test_a_lost_key_makes_dead_letters_that_keep_their_bytes(socket: Path) -> None:
    async with opened(socket, OLD) as store:
        await store.inbox.append([entry("a")])
    async with opened(socket, NEW, lost=(key_id(OLD),)) as store:
        claimed = await store.owed.claim(VIEWS, Lane.LIVE, 9, BIG)
        assert claimed
        assert claimed.entries[0].raw == b""
        burial = Burial(claimed.entries[0].id, DeadReason.UNMAPPABLE, "")
        await store.owed.settle(claimed.lease, Settlement(dead=[burial]))
        (letter,) = await store.dead_letters.list("shop")
        assert letter.raw == b""
    async with opened(socket, NEW, OLD) as store:  # found after all
        assert (await store.dead_letters.list("shop"))[0].raw == EVENT


async def test_a_letter_of_an_unknown_key_is_shown_as_locked(socket: Path) -> None:
    async with opened(socket, NEW) as behind, opened(socket, OLD) as ahead:
        await ahead.inbox.append([entry("a")])
        await bury_one(ahead)
        (letter,) = await behind.dead_letters.list("shop")
        assert letter.raw == b""
        assert f"sealed with key {key_id(OLD)}" in letter.message
        assert await behind.dead_letters.requeue("shop", [letter.id]) == 1
        assert (await ahead.tracks.search(VIEWS, b"m-1")).found


async def test_what_is_archived_with_an_unknown_key_is_locked_and_with_a_lost_one_damaged(socket: Path) -> None:
    lost = (key_id(OLD),)
    async with (
        opened(socket, NEW) as behind,
        opened(socket, NEW, lost=lost) as without,
        opened(socket, OLD, archive=True) as ahead,
    ):
        await ahead.inbox.append([entry("a"), entry("b")])
        await bury_one(ahead)
        claimed = await ahead.owed.claim(VIEWS, Lane.LIVE, 1, BIG)
        assert claimed
        await ahead.owed.settle(claimed.lease, Settlement(delivered=[claimed.entries[0].id]))
        for store, expected in ((ahead, (EVENT, False)), (behind, (b"", True)), (without, (b"", False))):
            (event,) = await store.archive.page(VIEWS.klass)
            (letter,) = await store.dead_letters.list("shop")
            assert (event.raw, event.locked) == expected
            assert archived_of(letter).locked is letter.locked is expected[1]


async def test_plain_entries_are_read_on_and_check_tells(socket: Path) -> None:
    async with opened(socket) as store:
        await store.inbox.append([entry("a")])
        await bury_one(store)
        health = await examine(store.client, STREAMS, SystemClock().now_ms)
        assert "off: " in next(one.text for one in health.findings if one.topic == "encryption")
    async with opened(socket, NEW) as store:
        (letter,) = await store.dead_letters.list("shop")
        assert (letter.raw, letter.message) == (EVENT, "no e-mail: 'jo@example.com'")
        await store.inbox.append([entry("b")])
        now_ms = SystemClock().now_ms
        health = await examine(store.client, STREAMS, now_ms, StoreOptions(encryption_keys=(NEW, OLD)))
        told = next(one.text for one in health.findings if one.topic == "encryption")
        assert told == f"on: AES-256-GCM, key {key_id(NEW)}; also opens {key_id(OLD)}"
        health = await examine(store.client, STREAMS, now_ms)
        (refused,) = [one for one in health.findings if one.level is Level.REFUSE]
        assert key_id(NEW) in refused.text


async def test_a_key_is_noted_before_anything_is_sealed_with_it(socket: Path) -> None:
    async with opened(socket, NEW) as store:
        assert await store.client.run("HEXISTS", keys.meta(), f"key:{key_id(NEW)}")


async def test_a_damaged_record_that_names_no_key_of_this_store_holds_nobody_up(socket: Path) -> None:
    async with opened(socket, NEW) as store:
        whole = entry("a")
        record = ("e", b"\x21" + bytes(60), "m", f"{whole.received_ms}|||web")
        await store.client.run("XADD", keys.owed(VIEWS), "*", *record)
        await store.inbox.append([whole])
        claimed = await store.owed.claim(VIEWS, Lane.LIVE, 9, BIG)
        assert claimed
        assert [one.raw for one in claimed.entries] == [b"", EVENT]
