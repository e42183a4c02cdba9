"""What only a server can show: nothing half written, memory filled and drained, hostile arguments without effect."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from relay.adapters.redis import keys
from relay.adapters.redis.connect import connect
from relay.adapters.redis.inbox import RedisInbox
from relay.adapters.redis.mode_store import PIECE
from relay.adapters.redis.options import StoreOptions
from relay.adapters.redis.overflow import PIECE as SHED_PIECE
from relay.adapters.redis.store import RedisStore
from relay.adapters.system import SystemClock
from relay.core.delivery.mode import Mode, ModeRecord
from relay.core.errors import StoreMisused, StoreTrouble, StoreUnavailable
from relay.core.event import Attempt, Burial, DeadReason, EntryClass, Lane, NewEntry, Reject, Settlement
from relay.core.forecast import cohorts
from relay.simulator.traffic import traffic
from tests.contract.conftest import ORDERS, STREAMS, VIEWS
from tests.contract.valkey import valkey_server
from tests.contract.yardstick import limit_us
from tests.twins.clock import FakeClock

DAY_MS = 86_400_000


def entries(count: int, start: int = 0, raw: bytes = b"{}") -> list[NewEntry]:
    now = SystemClock().now_ms()
    return [NewEntry(VIEWS, f"id-{start + number}", raw, now, "web") for number in range(count)]


async def everything(store: RedisStore) -> dict[bytes, Any]:
    """Every key and its serialised value."""
    found: list[bytes] = await store.client.run("KEYS", "*")
    return {key: await store.client.run("DUMP", key) for key in found}


async def some_state(store: RedisStore) -> None:
    """Entries, a lease, a mark, a dead letter."""
    await store.inbox.append(entries(10), [Reject("web", "bad", b"[]", 1)])
    claimed = await store.owed.claim(VIEWS, Lane.LIVE, 4, 10**9)
    assert claimed is not None
    await store.owed.settle(claimed.lease, Settlement(dead=[Burial(claimed.lease.first_id, DeadReason.EXPIRED, "")]))


GOOD_M = b"1|||web"
APPEND_KEYS = ["o", "b", "dead", "db", "s1", "s2", "s3"]


def append_args(now_ms: int, **changes: Any) -> list[Any]:
    epoch = changes.get("epoch", now_ms // DAY_MS)
    args = [1, 3, epoch, DAY_MS, 1, 1, 5, b"\0x", GOOD_M, 0, 1000, 1000]
    for at, value in changes.get("at", {}).items():
        args[at] = value
    return args


@pytest.mark.parametrize(
    "at",
    [
        {0: "x"},
        {0: -1},
        {1: 0},
        {1: 65},
        {1: "nan"},
        {2: "1e3"},
        {3: 0},
        {4: -1},
        {4: 2},
        {4: "inf"},
        {5: 2},
        {5: "x"},
        {6: "1.5"},
        {6: "9" * 21},
        {6: ""},
        {7: b""},
        {8: b""},
        {8: b"no bars"},
        {8: b"1|x|EUR|s"},
        {9: 1},
        {9: "x"},
        {10: "x"},
        {11: -1},
    ],
)
async def test_hostile_arguments_of_append_change_nothing(redis_store: RedisStore, at: dict[int, Any]) -> None:
    await some_state(redis_store)
    before = await everything(redis_store)
    with pytest.raises(StoreMisused):
        await redis_store.client.script("append", APPEND_KEYS, append_args(SystemClock().now_ms(), at=at))
    assert await everything(redis_store) == before


@pytest.mark.parametrize("names", [APPEND_KEYS[:-1], [*APPEND_KEYS, "s4"], [], ["o"]])
async def test_keys_that_do_not_add_up_change_nothing(redis_store: RedisStore, names: list[str]) -> None:
    before = await everything(redis_store)
    with pytest.raises(StoreMisused):
        await redis_store.client.script("append", names, append_args(SystemClock().now_ms()))
    assert await everything(redis_store) == before


async def test_the_arguments_above_are_hostile_only_by_their_change(redis_store: RedisStore) -> None:
    reply = await redis_store.client.script("append", APPEND_KEYS, append_args(SystemClock().now_ms()))
    assert reply[1] == b"1"


BORED = ("FIRST", "boredom", "", "", "", "")
REFUSED = ("FIRST", "refused", "", "", "", "")
LATE = 8 * 10**15
HOSTILE: list[tuple[str, int, list[Any]]] = [
    ("claim", 5, []),
    ("claim", 5, ["tail", 5, 5, 5, 5]),
    ("claim", 5, ["live", 0, 5, 5, 5]),
    ("claim", 5, ["live", "5; DROP", 5, 5, 5]),
    ("claim", 5, ["live", 5, -1, 5, 5]),
    ("claim", 5, ["live", 5, 5, "soon", 5]),
    ("claim", 4, ["live", 5, 5, 5, 5]),
    ("settle", 6, []),
    ("settle", 6, ["-", 1, "engagement", 5, "keep", 9, 0, 0, 0, 0, 0]),
    ("settle", 6, ["FIRST", 1, "engagement", 5, "perhaps", 9, 0, 0, 0, 0, 0]),
    ("settle", 6, ["FIRST", 1, "engagement", "x", "keep", 9, 0, 0, 0, 0, 0]),
    ("settle", 6, ["FIRST", 1, "engagement", 5, "keep", 9, 0, 1, "1-1", 0, 0, 0]),
    ("settle", 6, ["FIRST", 1, "engagement", 5, "keep", 9, 0, 2, "FIRST", 0, 0, 0]),
    ("settle", 6, ["FIRST", 1, "engagement", 5, "keep", 9, 0, 1, "FIRST", 0, 0]),
    ("settle", 6, ["FIRST", 1, "engagement", 5, "keep", 9, 0, 1, "FIRST", 0, 0, 0, "more"]),
    ("settle", 6, ["FIRST", 1, "engagement", 5, "keep", 9, 0, 1, "FIRST", 0, 0, 1, *BORED, 0]),
    ("settle", 6, ["FIRST", 1, "engagement", 5, "keep", 9, 0, 1, "FIRST", 0, 0, 1, *REFUSED]),
    *(
        ("settle", 6, ["FIRST", 1, "engagement", 5, "keep", 9, 0, 1, "FIRST", 0, 0, 1, *REFUSED, first_ms])
        for first_ms in ("", "x", -1, "1.5", "1e3", "nan", 10**16, "9" * 17)
    ),
    ("settle", 7, ["FIRST", 1, "engagement", 5, "keep", 9, 0, 1, "FIRST", 0, 0, 0]),
    ("settle", 7, ["FIRST", 1, "engagement", 5, "keep", 9, 0, 1, "FIRST", 0, 0, 0, "shop", "more"]),
    ("settle", 5, ["FIRST", 1, "engagement", 5, "keep", 9, 0, 0, 0, 0, 0]),
    ("settle", 6, ["FIRST", 1, "engagement", 5, "keep", 0, 0, 0, 0, 0, 0]),
    ("settle", 6, ["FIRST", 1, "engagement", 5, "keep", "many", 0, 0, 0, 0, 0]),
    ("settle", 6, ["FIRST", 1, "engagement", 5, "keep", 9, 1, "a call", 0, 0, 0]),
    ("settle", 6, ["FIRST", 1, "engagement", 5, "keep", 9, "x", 0, 0, 0, 0]),
    ("settle", 6, ["FIRST", 1, "engagement", 5, "keep", 9, 9, 0, 0, 0, 0]),
    ("move", 4, ["steal", 1, "engagement", 0]),
    ("move", 4, ["requeue", 2, "engagement", "conversion", 0]),
    ("move", 4, ["requeue", 1, "engagement", 2, "1-1"]),
    ("move", 4, ["discard", 1, "engagement", 1, "*"]),
    ("move", 4, ["release", 2, "engagement", "conversion", 0]),
    ("move", 4, ["release", 1, "engagement", 1, "*"]),
    ("move", 4, ["released", 1, "engagement", 0]),
    ("move", 4, ["", 1, "engagement", 0]),
    ("move", 2, []),
    ("trim", 2, ["x", 0, 5, 0]),
    ("trim", 2, [0, -1, 5, 0]),
    ("trim", 2, [0, 0, 5000, 0]),
    ("trim", 3, [0, 0, 5, 2, "engagement", "conversion"]),
    ("trim", 3, [0, 0, 5, 1]),
    ("sealed", 1, ["e", "", 5, 32]),
    ("sealed", 1, ["e", "x", 5, 32, "abcd"]),
    ("sealed", 1, ["e", "", 0, 32, "abcd"]),
    ("sealed", 2, ["e", "", 5, 32, "abcd"]),
    ("sample", 1, []),
    ("sample", 1, [0, 5]),
    ("sample", 1, [0, 5, 1001]),
    ("sample", 1, [-1, 5, 5]),
    ("sample", 1, [0, "now", 5]),
    ("sample", 0, [0, 5, 5]),
    ("gate", 1, []),
    ("gate", 1, [0]),
    ("gate", 1, [0, "state"]),
    ("gate", 1, [-1, "state", "open"]),
    ("gate", 2, [0, "state", "open"]),
    ("pause", 1, []),
    ("pause", 1, [2]),
    ("pause", 1, [1, 1]),
    ("pause", 2, [1]),
    ("mode", 3, []),
    ("mode", 1, [0, "standby", 0, 0, 5]),
    ("mode", 2, [0, "standby", 0, 0, 5, "", "", ""]),
    ("mode", 3, [0, "asleep", 0, 0, 5, "", "", ""]),
    ("mode", 3, [-1, "standby", 0, 0, 5, "", "", ""]),
    ("mode", 3, [0, "standby", "now", 0, 5, "", "", ""]),
    ("mode", 3, [0, "standby", 0, 2, 5, "", "", ""]),
    ("mode", 3, [0, "standby", 0, 0, "x", "", "", ""]),
    ("mode", 3, [0, "standby", 0, 0, 5, "", ""]),
    ("mode", 3, [0, "failover", 0, 0, 5, "", 0, ""]),
    ("mode", 3, [0, "failover", 0, 0, 5, "-", 0, ""]),
    ("mode", 3, [0, "failover", 0, 0, 5, "1-0", "many", ""]),
    ("mode", 3, [0, "failover", 0, 0, 5, "1-0", 0, "the last"]),
    ("drop", 4, []),
    ("drop", 3, ["lapsed", 5, 5]),
    ("drop", 4, ["delivered", 5, 5]),
    ("drop", 4, ["lapsed", "x", 5]),
    ("drop", 4, ["lapsed", -1, 5]),
    ("drop", 4, ["lapsed", 5, 0]),
    ("drop", 4, ["lapsed", 5, 1001]),
    ("drop", 4, ["lapsed", 5, 5, 1]),
    ("drop", 4, ["forgotten", 0, 2, "1-1"]),
    ("drop", 4, ["forgotten", 0, 1, "1"]),
    ("drop", 4, ["forgotten", 0, 1, "1-1", "1-2"]),
    ("drop", 4, ["forgotten", 0, 0]),
    ("drop", 4, ["shed", LATE, 5]),
    ("drop", 4, ["shed", LATE, 5, 0]),
    ("drop", 4, ["shed", LATE, 5, "all"]),
    ("drop", 3, ["shed", LATE, 5, 1]),
    ("drop", 4, ["shed", "x", 5, 1]),
    ("locate", 1, ["-", "+", 0]),
    ("locate", 1, ["-", "+", -1, 5]),
    ("locate", 1, ["-", "+", 0, 1001]),
    ("locate", 1, ["here", "+", 0, 5]),
    ("locate", 2, ["-", "+", 0, 5]),
    ("roster", 1, []),
    ("roster", 1, ["", 5]),
    ("roster", 1, ["r", 0]),
    ("roster", 1, ["r", "soon"]),
    ("roster", 1, ["r", 5, 5]),
    ("roster", 2, ["r", 5]),
]


@pytest.mark.parametrize(("name", "how_many", "args"), HOSTILE)
async def test_hostile_arguments_change_nothing(
    redis_store: RedisStore, name: str, how_many: int, args: list[Any]
) -> None:
    await some_state(redis_store)
    leases: dict[bytes, bytes] = await redis_store.client.run("HGETALL", keys.leases(VIEWS))
    first = next(key for key in leases if key != b"#")
    names = {
        "claim": [*(make(VIEWS) for make in (keys.owed, keys.leases, keys.mark, keys.books)), keys.dead("shop")],
        "settle": [
            *(make(VIEWS) for make in (keys.owed, keys.leases, keys.mark, keys.books)),
            keys.dead("shop"),
            keys.attempts("shop"),
            keys.archive(EntryClass.ENGAGEMENT),
        ],
        "move": [keys.dead("shop"), keys.intake_books(), keys.owed(VIEWS), keys.books(VIEWS)],
        "gate": [keys.gate("shop"), keys.gate("app")],
        "pause": [keys.gate("shop"), keys.gate("app")],
        "sample": [keys.owed(VIEWS)],
        "mode": [keys.mode("shop"), keys.owed(VIEWS), keys.mark(VIEWS)],
        "drop": [make(VIEWS) for make in (keys.owed, keys.leases, keys.mark, keys.books)],
        "locate": [keys.owed(VIEWS), keys.owed(ORDERS)],
        "roster": [keys.roster(), keys.owed(VIEWS)],
        "trim": [keys.dead("shop"), keys.intake_books(), keys.books(VIEWS)],
        "sealed": [keys.owed(VIEWS), keys.owed(ORDERS)],
    }[name][:how_many]
    before = await everything(redis_store)
    with pytest.raises(StoreMisused):
        await redis_store.client.script(name, names, [first if arg == "FIRST" else arg for arg in args])
    assert await everything(redis_store) == before


async def test_the_modes_above_are_hostile_only_by_their_change(redis_store: RedisStore) -> None:
    await some_state(redis_store)
    names = [keys.mode("shop"), keys.owed(VIEWS), keys.mark(VIEWS)]
    assert await redis_store.client.script("mode", names, [0, "standby", 0, 0, 5, "", "", ""]) == 1
    assert await redis_store.client.script("mode", names, [1, "failover", 0, 0, 5, "1-0", 9, ""]) == 1
    assert await redis_store.client.script("locate", names[1:2], ["-", "+", 0, 5])
    names = [make(VIEWS) for make in (keys.owed, keys.leases, keys.mark, keys.books)]
    assert await redis_store.client.script("drop", names, ["lapsed", 5, 5]) == [0, 0, 0]
    assert (await redis_store.client.script("drop", names, ["shed", LATE, 5, 1]))[0] > 0


@pytest.mark.parametrize("make", [keys.owed, keys.mark, keys.leases, keys.books])
@pytest.mark.parametrize("args", [["lapsed", 0, 500], ["shed", LATE, 500, 1]])
async def test_a_key_of_a_wrong_type_ends_nothing(redis_store: RedisStore, make: Any, args: list[Any]) -> None:
    await redis_store.modes.save("shop", ModeRecord(Mode.STANDBY), 0)
    await redis_store.inbox.append([NewEntry(VIEWS, "old", b"{}", 1, "web")])
    await redis_store.client.run("SET", make(VIEWS), "somebody else's")
    before = await everything(redis_store)
    names = [key(VIEWS) for key in (keys.owed, keys.leases, keys.mark, keys.books)]
    with pytest.raises(StoreMisused, match="WRONGTYPE"):
        await redis_store.client.script("drop", names, args)
    assert await everything(redis_store) == before


@pytest.mark.alone
async def test_shedding_goes_in_pieces_below_ten_milliseconds(running_valkey: Path) -> None:
    client = connect(f"unix://{running_valkey}")
    store = await RedisStore.open(client, STREAMS, SystemClock(), StoreOptions(sheds=True))
    store.state.room_bytes = 1
    events = traffic(3, SystemClock().now_ms())
    raws = [orjson.dumps(next(events)) for _ in range(100)]
    for start in range(0, 5_000, 500):
        now = SystemClock().now_ms()
        await store.inbox.append([NewEntry(VIEWS, f"s{start + at}", raws[at % 100], now, "web") for at in range(500)])
    for _ in range(16):
        assert await store.owed.claim(VIEWS, Lane.LIVE, 50, 10**9) is not None
    limit = await limit_us(store)
    counts = []
    while (piece := await store.overflow.shed()) is not None:
        counts.append(piece.count)
    assert sum(counts) == 4_200
    assert SHED_PIECE - 20 < max(counts) <= SHED_PIECE, "leases are looked at as well"
    survey = (await store.owed.survey()).streams[1]
    assert (survey.owed, survey.leased, survey.unbalanced) == (800, 800, 0)
    stats = (await client.run("INFO", "commandstats"))["cmdstat_evalsha"]
    print(f"{stats['usec_per_call']:.0f} us a piece of at most {limit:.0f}")
    assert stats["usec_per_call"] < limit
    await client.run("FLUSHALL")
    await store.close()


@pytest.mark.alone
async def test_a_long_standby_is_measured_and_lapses_in_pieces_below_ten_milliseconds(running_valkey: Path) -> None:
    client = connect(f"unix://{running_valkey}")
    store = await RedisStore.open(client, STREAMS, SystemClock(), StoreOptions(retention_ms=1))
    events = traffic(3, SystemClock().now_ms())
    raws = [orjson.dumps(next(events)) for _ in range(100)]
    old = SystemClock().now_ms() - 40_000
    for start in range(0, 5_000, 500):
        new = [NewEntry(VIEWS, f"l{start + at}", raws[at % 100], old + start, "web") for at in range(500)]
        await store.inbox.append(new)
    await store.modes.save("shop", ModeRecord(Mode.STANDBY), 0)
    limit = await limit_us(store)
    assert await store.modes.save("shop", ModeRecord(Mode.FAILOVER, since_ms=old + 2_500), 1)
    assert (await store.owed.survey()).streams[1].standing == 2_500
    lapsed = 0
    while (piece := await store.modes.lapse(VIEWS)).more:
        assert 0 < piece.count <= PIECE
        lapsed += piece.count
    assert lapsed + piece.count == 2_500
    survey = (await store.owed.survey()).streams[1]
    assert (survey.owed, survey.standing, survey.unbalanced) == (2_500, 0, 0)
    stats = (await client.run("INFO", "commandstats"))["cmdstat_evalsha"]
    assert stats["usec_per_call"] < limit
    await client.run("FLUSHALL")
    await store.close()


async def test_a_figure_that_was_estimated_is_right_when_nothing_is_left(
    redis_store: RedisStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A window too long to be counted: half of it came in one burst, which no estimate knows."""
    monkeypatch.setattr("relay.adapters.redis.mode_store.MOST", 500)
    await redis_store.modes.save("shop", ModeRecord(Mode.STANDBY), 0)
    await redis_store.inbox.append([NewEntry(VIEWS, "old", b"{}", SystemClock().now_ms() - 60_000, "web")])
    await asyncio.sleep(0.005)
    since_ms = SystemClock().now_ms()
    for start in (0, 500, 1000):
        await redis_store.inbox.append(entries(500, start))
        await asyncio.sleep(0.02)
    for start in range(2_000, 4_000, 500):
        await redis_store.inbox.append(entries(500, start))
    assert await redis_store.modes.save("shop", ModeRecord(Mode.FAILOVER, since_ms=since_ms), 1)
    survey = (await redis_store.owed.survey()).streams[1]
    assert survey.sendable != 3_500, "else this test shows nothing"
    for lane in Lane:
        while (claimed := await redis_store.owed.claim(VIEWS, lane, 500, 10**9)) is not None:
            await redis_store.owed.settle(claimed.lease, Settlement([one.id for one in claimed.entries]))
    survey = (await redis_store.owed.survey()).streams[1]
    assert (survey.owed, survey.standing, survey.backlog, survey.unbalanced) == (1, 1, 0, 0)


async def test_the_letters_above_are_hostile_only_by_their_change(redis_store: RedisStore) -> None:
    await redis_store.inbox.append(entries(1))
    claimed = await redis_store.owed.claim(VIEWS, Lane.LIVE, 1, 10**9)
    assert claimed is not None
    first = claimed.lease.first_id
    names = [
        *(make(VIEWS) for make in (keys.owed, keys.leases, keys.mark, keys.books)),
        keys.dead("shop"),
        keys.attempts("shop"),
    ]
    args: list[Any] = [first, 1, "engagement", 5, "keep", 9, 0, 0, 0, 0, 1, first, *REFUSED[1:], 9]
    assert await redis_store.client.script("settle", names, args) == [1, 0, 0, 1, 0, 0]


@pytest.mark.parametrize("make", [keys.owed, keys.books, lambda _: keys.dead(keys.INTAKE)])
async def test_a_key_of_a_wrong_type_changes_nothing(redis_store: RedisStore, make: Any) -> None:
    await redis_store.client.run("SET", make(VIEWS), "somebody else's")
    before = await everything(redis_store)
    with pytest.raises(StoreMisused, match="WRONGTYPE"):
        await redis_store.inbox.append(entries(3), [Reject("web", "bad", b"[]", 1)])
    assert await everything(redis_store) == before


async def test_a_counter_that_overflows_does_not_stop_the_script(redis_store: RedisStore) -> None:
    full = str(2**63 - 1)
    await redis_store.client.run("HSET", keys.books(VIEWS), "accepted", full, "delivered", full, "duplicates", "many")
    assert await redis_store.inbox.append([*entries(3), *entries(1)]) == [True, True, True, False]
    claimed = await redis_store.owed.claim(VIEWS, Lane.LIVE, 10, 10**9)
    assert claimed is not None
    settled = await redis_store.owed.settle(claimed.lease, Settlement([entry.id for entry in claimed.entries]))
    assert settled.delivered == 3
    assert await redis_store.client.run("XLEN", keys.owed(VIEWS)) == 0


async def test_a_stream_whose_ids_are_used_up_loses_nothing(redis_store: RedisStore) -> None:
    last = f"{2**64 - 1}-{2**64 - 1}"
    await redis_store.client.run("XADD", keys.owed(VIEWS), last, "e", "\0x", "m", "1|||web")
    with pytest.raises(StoreMisused):
        await redis_store.inbox.append(entries(3))
    await redis_store.client.run("DEL", keys.owed(VIEWS))
    assert await redis_store.inbox.append(entries(3)) == [True, True, True], "nothing was remembered as seen"


async def test_scripts_are_loaded_again_when_the_server_forgot_them(redis_store: RedisStore) -> None:
    assert await redis_store.inbox.append(entries(1)) == [True]
    await redis_store.client.run("SCRIPT", "FLUSH")
    assert await redis_store.inbox.append(entries(1)) == [False]
    assert await redis_store.owed.claim(VIEWS, Lane.LIVE, 1, 1) is not None


@pytest.mark.parametrize("days", [-400, -1, 1, 400])
async def test_a_wrong_clock_of_ours_does_not_break_dedupe(redis_store: RedisStore, days: int) -> None:
    """The script finds itself in another epoch, changes nothing and says so; the caller asks with the right keys."""
    assert await redis_store.inbox.append(entries(2)) == [True, True]
    clock = FakeClock(SystemClock().now_ms() + days * DAY_MS)
    wrong = await RedisStore.open(redis_store.client, STREAMS, clock)
    assert await wrong.inbox.append(entries(3)) == [False, False, True]
    assert await wrong.inbox.append(entries(3)) == [False, False, False]


async def test_ids_are_looked_up_in_every_epoch_that_counts(redis_store: RedisStore) -> None:
    """Move what was written today into older epochs: known as long as the oldest looked up, then new again."""
    (entry,) = entries(1)
    for klass, epochs in keys.EPOCHS.items():
        one = NewEntry(VIEWS._replace(klass=klass), "known", b"{}", entry.received_ms, "web")
        now = SystemClock().now_ms() // keys.EPOCH_MS[klass]
        for back in range(1, epochs + 1):
            assert await redis_store.inbox.append([one]) == [True]
            (key,) = await redis_store.client.run("KEYS", keys.seen_prefix(klass, now) + b"*")
            bucket = key.rpartition(b":")[2]
            await redis_store.client.run("RENAME", key, keys.seen_prefix(klass, now - back) + bucket)
            assert await redis_store.inbox.append([one]) == [back == epochs]
            await redis_store.client.run("FLUSHALL")


async def test_seen_ids_expire_by_themselves_when_their_last_epoch_ends(redis_store: RedisStore) -> None:
    now = SystemClock().now_ms()
    await redis_store.inbox.append(
        [NewEntry(stream, f"x{number}", b"{}", now, "web") for stream in (VIEWS, ORDERS) for number in range(20)]
    )
    for klass in EntryClass:
        length, epochs = keys.EPOCH_MS[klass], keys.EPOCHS[klass]
        found = await redis_store.client.run("KEYS", f"{keys.prefix()}s:{klass.value[0]}:*")
        assert len(found) == 20
        for key in found:
            assert await redis_store.client.run("PEXPIRETIME", key) == (now // length + epochs) * length
            assert await redis_store.client.run("OBJECT", "ENCODING", key) == b"intset"


async def test_the_intakes_own_letters_are_bounded_in_bytes_and_age(redis_store: RedisStore) -> None:
    options = StoreOptions(rejects_bytes=50_000, reject_bytes=1000)
    store = await RedisStore.open(redis_store.client, STREAMS, SystemClock(), options)
    noise = bytes(range(256)) * 8
    for number in range(30):
        rejects = [Reject("web", "bad", bytes([number, at]) + noise, 1) for at in range(10)]
        await store.inbox.append([], rejects)
    letters = await store.dead_letters.list("-", limit=1000)
    sizes = [len(fields[b"e"]) for _, fields in await store.client.run("XRANGE", keys.dead("-"), "-", "+")]
    assert sum(sizes) <= 50_000
    assert letters[-1].raw == (bytes([29, 9]) + noise)[:1000]
    assert int(await store.client.run("HGET", keys.intake_books(), "bytes")) == sum(sizes)
    assert await store.dead_letters.discard("-", [letters[0].id]) == 1
    assert int(await store.client.run("HGET", keys.intake_books(), "bytes")) == sum(sizes[1:])
    aged = await RedisStore.open(redis_store.client, STREAMS, SystemClock(), StoreOptions(rejects_age_ms=0))
    await aged.inbox.append([], [Reject("web", "bad", b"[]", 1)] * 500)
    assert len(await store.dead_letters.list("-", limit=1000)) <= 501


@pytest.mark.alone
async def test_a_full_group_of_real_events_stays_far_below_ten_milliseconds(redis_store: RedisStore) -> None:
    """The best of three rounds: the server shares its core with whatever else this machine does."""
    rounds = [await mean_and_slow(redis_store, number) for number in range(3)]
    assert min(mean for mean, _ in rounds) < 1, f"{rounds}: a script's part of the limit on average, slow ones"
    assert min(slow for _, slow in rounds) <= 2, f"{rounds}: more than a hiccup of a busy machine"


async def mean_and_slow(store: RedisStore, number: int) -> tuple[float, int]:
    """A script's part of the limit on average, and how many took longer, for a full group through its whole life."""
    raws = [orjson.dumps(event) for event in itertools.islice(traffic(5, 1_764_000_000_000), 512)]
    now, streams = SystemClock().now_ms(), (VIEWS, ORDERS)
    limit = await limit_us(store)
    await store.client.run("CONFIG", "SET", "slowlog-log-slower-than", round(limit))
    await store.client.run("SLOWLOG", "RESET")
    for turn in range(4):
        group = [NewEntry(streams[at % 2], f"{number}-{turn}-{at}", raw, now, "web") for at, raw in enumerate(raws)]
        await store.inbox.append(group)
    for stream in streams:
        for dead in (False, True):
            claimed = await store.owed.claim(stream, Lane.LIVE, 500, 10**9)
            assert claimed is not None
            ids = [entry.id for entry in claimed.entries]
            burials = [Burial(id_, DeadReason.REFUSED, "no" * 50) for id_ in ids]
            await store.owed.settle(claimed.lease, Settlement(dead=burials) if dead else Settlement(ids))
    letters = await store.dead_letters.list("shop", limit=500)
    await store.dead_letters.requeue("shop", [letter.id for letter in letters])
    stats = await store.client.run("INFO", "commandstats")
    return stats["cmdstat_evalsha"]["usec_per_call"] / limit, await store.client.run("SLOWLOG", "LEN")


async def test_no_lease_is_scanned_over(redis_store: RedisStore) -> None:
    """Fifty open leases over 10,000 entries: a claim behind them reads only what it takes."""
    for start in range(0, 10_000, 500):
        await redis_store.inbox.append(entries(500, start))
    for _ in range(50):
        assert await redis_store.owed.claim(VIEWS, Lane.LIVE, 190, 10**9) is not None
    await redis_store.client.run("CONFIG", "RESETSTAT")
    assert await redis_store.owed.claim(VIEWS, Lane.LIVE, 10, 10**9) is not None
    stats = await redis_store.client.run("INFO", "commandstats")
    assert stats["cmdstat_xrange"]["calls"] < 60
    assert stats["cmdstat_xrange"]["usec"] < 5000


async def test_ages_of_a_long_stream_follow_its_density_in_bursts_and_without(redis_store: RedisStore) -> None:
    """A day at 3 events a second, half a day at 12; once one by one, once 500 at a time."""
    day_s = 86_400
    for burst in (1, 500):
        key, start = keys.owed(VIEWS), 1_770_000_000_000
        lengths = ((day_s * 1000, 3 * day_s), (day_s * 500, 6 * day_s))
        commands: list[Any] = []
        for span_ms, count in lengths:
            for number in range(0, count // 30, burst):  # a thirtieth of it, as it takes its time
                at = start + span_ms * number * 30 // count
                commands += [("XADD", key, f"{at}-{one}", "e", "\0x", "m", f"{at}|||web") for one in range(burst)]
            start += span_ms
        for at in range(0, len(commands), 5000):
            await redis_store.client.many(commands[at : at + 5000])
        owed = await redis_store.client.run("XLEN", key)
        queue = cohorts(await redis_store.tracks.ages(VIEWS), owed, start)
        assert sum(cohort.entries for cohort in queue) == pytest.approx(owed)
        assert [cohort.age_s for cohort in queue] == sorted((cohort.age_s for cohort in queue), reverse=True)
        young = sum(cohort.entries for cohort in queue if cohort.age_s <= day_s / 2)
        assert young / owed == pytest.approx(2 / 3, abs=0.1 if burst == 1 else 0.3)
        await redis_store.client.run("DEL", key)


async def call(store: RedisStore, number: int = 0) -> Settlement:
    claimed = await store.owed.claim(VIEWS, Lane.LIVE, 1, 10**9)
    assert claimed is not None
    first, klass = claimed.lease.first_id, VIEWS.klass
    attempt = Attempt(klass, first, first, True, 1, number, "delivered", "0", "R", "L", claimed.lease.number)
    settlement = Settlement([first], attempts=[attempt])
    assert (await store.owed.settle(claimed.lease, settlement)).delivered == 1
    return settlement


async def test_a_log_of_calls_that_cannot_be_written_fails_no_settlement(redis_store: RedisStore) -> None:
    await redis_store.client.run("SET", keys.attempts("shop"), "somebody else's")
    await redis_store.inbox.append(entries(1))
    await call(redis_store)
    assert await redis_store.client.run("GET", keys.attempts("shop")) == b"somebody else's"


async def test_the_log_of_calls_is_capped_and_small(redis_store: RedisStore) -> None:
    options = StoreOptions(attempts=1000)
    store = await RedisStore.open(redis_store.client, STREAMS, SystemClock(), options)
    await store.inbox.append(entries(500))
    claimed = await store.owed.claim(VIEWS, Lane.LIVE, 500, 10**9)
    assert claimed is not None
    first, last = claimed.lease.first_id, claimed.lease.last_id
    id_ = "20260202024000ABCDEF0123456789ABCD"
    for turn in range(30):
        attempts = [
            Attempt(VIEWS.klass, first, last, True, 500, 1_770_000_000_000 + at, "delivered", "0", id_, id_, turn)
            for at in range(100)
        ]
        await store.owed.settle(claimed.lease, Settlement(attempts=attempts))
    kept = await store.client.run("XLEN", keys.attempts("shop"))
    assert 1000 <= kept < 1200
    used = await store.client.run("MEMORY", "USAGE", keys.attempts("shop"), "SAMPLES", 0)
    assert used / kept < 180
    after = ""
    newest: list[Attempt] = []
    while (page := await store.tracks.calls("shop", after=after))[0]:
        after, newest = page
    assert newest[-1].at_ms == 1_770_000_000_099


@pytest.fixture
async def small() -> AsyncIterator[RedisStore]:
    """A server with 8 MB."""
    with valkey_server(maxmemory="8mb") as socket:
        client = connect(f"unix://{socket}")
        options = StoreOptions(max_bytes=10**12, high=1.0, low=0.99)
        store = await RedisStore.open(client, STREAMS, SystemClock(), options)
        yield store
        await client.close()


async def test_a_full_memory_refuses_new_entries_and_can_always_be_drained(small: RedisStore) -> None:
    noise = b"".join(bytes([number]) * 3 for number in range(256))
    taken = 0
    trouble = None
    while trouble is None:
        try:
            taken += sum(await small.inbox.append(entries(100, taken, noise)))
        except StoreUnavailable as refused:
            trouble = refused.trouble
    assert trouble is StoreTrouble.FULL
    survey = await small.owed.survey()
    assert survey.streams[1].owed == taken > 1000
    assert survey.streams[1].unbalanced == 0
    for paused in (True, False):
        await small.gates.set_paused("shop", paused=paused)
        assert await small.gates.paused("shop") is paused, "an operator can stop a destination of a full store"
    await call(small, 7)
    assert [one.at_ms for one in (await small.tracks.calls("shop"))[1]] == [7], "calls are written down even then"
    assert sum(sample.entries for sample in await small.tracks.ages(VIEWS)) > 0
    while (claimed := await small.owed.claim(VIEWS, Lane.LIVE, 500, 10**9)) is not None:
        ids = [entry.id for entry in claimed.entries]
        burial = [Burial(ids[0], DeadReason.REFUSED, "")]
        settled = await small.owed.settle(claimed.lease, Settlement(ids[1:], burial))
        assert settled.delivered + settled.dead == len(ids)
    assert (await small.owed.survey()).streams[1].owed == 0
    assert await small.inbox.append(entries(3, 10**6)) == [True, True, True]


def test_the_digest_is_keyed_and_knows_the_destination(redis_store: RedisStore) -> None:
    def members(key: bytes) -> set[Any]:
        box = RedisInbox(
            redis_store._confirmed,
            STREAMS,
            SystemClock(),
            redis_store.inbox._codec,
            StoreOptions(),
            lambda: None,
            lambda: key,
        )
        both = [NewEntry(stream, "same", b"{}", 0, "web") for stream in (ORDERS, STREAMS[2])]
        _, args = box._arguments(both, [])
        return {arg for arg in args if isinstance(arg, int) and abs(arg) > 10**14}

    assert len(members(b"one")) == 2
    assert not members(b"one") & members(b"two")
