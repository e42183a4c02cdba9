"""What only a server can show of the archive: hostile arguments, damaged keys, full memory, milliseconds."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from relay.adapters.redis import keys
from relay.adapters.redis.connect import connect
from relay.adapters.redis.options import StoreOptions
from relay.adapters.redis.store import RedisStore
from relay.adapters.system import SystemClock
from relay.core.archive import FILTERED, ReplayAsk, ReplayJob, Requeue, Step, Target
from relay.core.errors import StoreMisused, StoreTrouble, StoreUnavailable
from relay.core.event import EntryClass, Lane, NewEntry, Rest, Settlement, Shed
from relay.simulator.traffic import traffic
from tests.contract.conftest import STREAMS, VIEWS
from tests.contract.test_scripts import DAY_MS, entries, everything
from tests.contract.valkey import valkey_server
from tests.contract.yardstick import limit_us

ARCHIVING = StoreOptions(archive=True, sheds=True)
JOB = ReplayJob("j", ReplayAsk(0, 9 * 10**15), owner="r1")


async def opened(socket: Path, options: StoreOptions = ARCHIVING) -> RedisStore:
    return await RedisStore.open(connect(f"unix://{socket}"), STREAMS, SystemClock(), options)


@pytest.fixture
async def store(running_valkey: Path) -> AsyncIterator[RedisStore]:
    opened_store = await opened(running_valkey)
    yield opened_store
    await opened_store.client.run("FLUSHALL")
    await opened_store.close()


async def some_state(store: RedisStore) -> bytes:
    """Two filtered events, one delivered, a lease, a running job; the id of the first event."""
    now = SystemClock().now_ms()
    await store.inbox.append([*entries(3), *(NewEntry(FILTERED, name, b"{}", now, "web") for name in "ab")])
    claimed = await store.owed.claim(VIEWS, Lane.LIVE, 2, 10**9)
    assert claimed is not None
    await store.owed.settle(claimed.lease, Settlement([claimed.lease.first_id], rest=Rest.KEEP))
    assert await store.replays.save(JOB, 0, new=True)
    return (await store.archive.page(EntryClass.ENGAGEMENT))[0].id.encode()


GOOD_M = b"1|||web"


def replay_args(**changes: Any) -> list[Any]:
    """One filtered event to one stream."""
    epoch = SystemClock().now_ms() // DAY_MS
    args: list[Any] = [1, 5, "cursor", "", 1, "looked", 5, 1, 3, epoch, DAY_MS, 1, "FIRST", GOOD_M, 0, 1, 1, 77]
    for at, value in changes.get("at", {}).items():
        args[at] = value
    return args


REPLAY_KEYS = [
    keys.replay(),
    keys.archive(EntryClass.ENGAGEMENT),
    keys.owed(VIEWS),
    keys.books(VIEWS),
    "s1",
    "s2",
    "s3",
]
HOSTILE_REPLAY: list[tuple[int, list[Any]]] = [
    (7, []),
    (6, replay_args()),
    (8, replay_args()),
    (2, replay_args()),
    (7, replay_args()[:-1]),
    (7, [*replay_args(), "more"]),
    *(
        (7, replay_args(at={at: value}))
        for at, value in [
            (0, "x"),
            (0, -1),
            (1, 0),
            (1, "soon"),
            (4, -1),
            (4, 2),
            (4, "x"),
            (5, ""),
            (5, "n:x"),
            (5, "Looked"),
            (6, "1.5"),
            (6, 10**16),
            (7, 0),
            (7, 2),
            (8, 0),
            (8, 65),
            (9, "nan"),
            (10, 0),
            (11, 0),
            (11, 2),
            (11, 1001),
            (12, "*"),
            (12, "-"),
            (13, b""),
            (13, b"no bars"),
            (14, 2),
            (14, "x"),
            (15, 0),
            (15, 2),
            (16, 2),
            (16, 0),
            (16, "x"),
            (17, "1.5"),
            (17, "9" * 21),
        ]
    ),
    (4, replay_args(at={14: 1, 17: ""})),
]
HOSTILE_JOB: list[tuple[int, list[Any]]] = [
    (1, []),
    (2, [1, 5, 0, "state", "paused"]),
    (1, [-1, 5, 0, "state", "paused"]),
    (1, [1, -5, 0, "state", "paused"]),
    (1, [1, "x", 0, "state", "paused"]),
    (1, [1, 5, 2, "state", "paused"]),
    (1, [1, 5, 0, "state"]),
    (1, [1, 5, 0]),
]


@pytest.mark.parametrize(
    ("name", "how_many", "args"),
    [*(("replay", *one) for one in HOSTILE_REPLAY), *(("job", *one) for one in HOSTILE_JOB)],
)
async def test_hostile_arguments_change_nothing(store: RedisStore, name: str, how_many: int, args: list[Any]) -> None:
    first = await some_state(store)
    names = ([*REPLAY_KEYS, "more"] if name == "replay" else [keys.replay(), keys.owed(VIEWS)])[:how_many]
    before = await everything(store)
    with pytest.raises(StoreMisused):
        await store.client.script(name, names, [first if arg == "FIRST" else arg for arg in args])
    assert await everything(store) == before


async def test_the_arguments_above_are_hostile_only_by_their_change(store: RedisStore) -> None:
    first = await some_state(store)
    args = [first if arg == "FIRST" else arg for arg in replay_args()]
    assert await store.client.script("replay", REPLAY_KEYS, args) == [1, 0, 1]
    args = [first if arg == "FIRST" else arg for arg in replay_args(at={17: ""})]
    assert await store.client.script("replay", REPLAY_KEYS[:4], args) == [1, 0, 0], "it is gone"
    assert await store.client.script("job", [keys.replay()], [1, 5, 0, "state", "paused"]) == 1


async def test_who_is_in_another_epoch_is_told_the_time(store: RedisStore) -> None:
    first = await some_state(store)
    before = await everything(store)
    args = [first if arg == "FIRST" else arg for arg in replay_args(at={9: 5})]
    said, now = await store.client.script("replay", REPLAY_KEYS, args)
    assert said == -1
    assert abs(now - SystemClock().now_ms()) < 5_000
    assert await everything(store) == before
    store.replays._skew_ms = -3 * DAY_MS
    (event, *_) = await store.archive.page(EntryClass.ENGAGEMENT)
    assert await store.replays.move(1, Step(""), [Requeue(event, (Target(VIEWS, "a"),))])
    assert abs(store.replays._skew_ms) < 5_000, "learnt"


@pytest.mark.parametrize("make", [keys.owed, keys.books])
async def test_a_key_of_a_wrong_type_moves_nothing(store: RedisStore, make: Any) -> None:
    await some_state(store)
    events = await store.archive.page(EntryClass.ENGAGEMENT)
    await store.client.run("SET", make(VIEWS), "somebody else's")
    before = await everything(store)
    with pytest.raises(StoreMisused):
        await store.replays.move(1, Step("on"), [Requeue(event, (Target(VIEWS, event.id),)) for event in events])
    assert await everything(store) == before


async def test_an_archive_that_cannot_be_written_fails_nothing(store: RedisStore) -> None:
    await store.client.run("SET", keys.archive(EntryClass.ENGAGEMENT), "somebody else's")
    await store.inbox.append(entries(3))
    claimed = await store.owed.claim(VIEWS, Lane.LIVE, 3, 10**9)
    assert claimed is not None
    settled = await store.owed.settle(claimed.lease, Settlement([one.id for one in claimed.entries]))
    assert (settled.delivered, settled.unarchived) == (3, 3)
    look = await store.owed.survey()
    survey = look.streams[1]
    assert (survey.owed, survey.unbalanced, look.archive) == (0, 0, None)
    await store.inbox.append(entries(2, 50))
    store.state.room_bytes = 1
    assert await store.overflow.shed() == Shed(VIEWS, 2)


async def test_a_stream_that_takes_nothing_more_forgets_nothing(store: RedisStore) -> None:
    """The last id there can be is taken: what was filtered stays in the archive, and its id is not remembered."""
    await some_state(store)
    a, _, _ = await store.archive.page(EntryClass.ENGAGEMENT)
    await store.client.run(
        "XADD", keys.owed(VIEWS), "18446744073709551615-18446744073709551615", "e", "{}", "m", GOOD_M
    )
    with pytest.raises(StoreMisused):
        await store.replays.move(1, Step("on"), [Requeue(a, (Target(VIEWS, "a"),))])
    assert (await store.archive.page(EntryClass.ENGAGEMENT))[0] == a
    await store.client.run("DEL", keys.owed(VIEWS))
    moved = await store.replays.move(1, Step("on"), [Requeue(a, (Target(VIEWS, "a"),))])
    assert moved is not None
    assert moved.owed == {VIEWS: 1}


async def test_a_full_memory_takes_no_replay_and_loses_none() -> None:
    with valkey_server(maxmemory="8mb") as socket:
        store = await opened(socket)
        await some_state(store)
        events = await store.archive.page(EntryClass.ENGAGEMENT)
        await store.client.run("CONFIG", "SET", "maxmemory", "1mb")
        with pytest.raises(StoreUnavailable) as caught:
            await store.replays.move(1, Step("on"), [Requeue(events[0], (Target(VIEWS, "a"),))])
        assert caught.value.trouble is StoreTrouble.FULL
        job = await store.replays.load()
        assert job is not None
        assert await store.replays.save(job, job.version), "a pause must always work"
        await store.client.run("CONFIG", "SET", "maxmemory", "8mb")
        assert await store.archive.page(EntryClass.ENGAGEMENT) == events
        await store.close()


@pytest.mark.alone
async def test_archiving_and_replaying_go_in_pieces_below_ten_milliseconds(store: RedisStore) -> None:
    events = traffic(3, SystemClock().now_ms())
    raws = [orjson.dumps(next(events)) for _ in range(100)]
    now = SystemClock().now_ms()
    limit = await limit_us(store)
    for start in (0, 500):
        new = [NewEntry(VIEWS, f"e{start + at}", raws[at % 100], now, "web") for at in range(500)]
        await store.inbox.append(new)
        claimed = await store.owed.claim(VIEWS, Lane.LIVE, 500, 10**9)
        assert claimed is not None
        await store.owed.settle(claimed.lease, Settlement([one.id for one in claimed.entries]))
    slow = (await store.client.run("INFO", "commandstats"))["cmdstat_evalsha"]
    assert slow["usec_per_call"] < limit
    await store.client.run("CONFIG", "RESETSTAT")
    assert await store.replays.save(JOB, 0, new=True)
    kept = await store.archive.page(EntryClass.ENGAGEMENT, limit=1_000)
    for start in range(0, 1_000, 250):
        moves = [Requeue(one, (Target(VIEWS, f"new{one.id}"),)) for one in kept[start : start + 250]]
        assert await store.replays.move(1, Step(""), moves)
    stats = (await store.client.run("INFO", "commandstats"))["cmdstat_evalsha"]
    print(f"{stats['usec_per_call']:.0f} us a step of 250, of at most {limit:.0f}")
    assert stats["usec_per_call"] < limit
    assert (await store.owed.survey()).streams[1].owed == 1_000
