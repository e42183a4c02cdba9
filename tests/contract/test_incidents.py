from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from relay.adapters.redis import incidents as stored
from relay.adapters.redis import keys
from relay.adapters.redis.connect import connect
from relay.adapters.redis.store import RedisStore
from relay.adapters.system import SystemClock
from relay.core.errors import StoreMisused, StoreTrouble, StoreUnavailable
from relay.core.event import NewEntry
from relay.core.incident import Incident, Peak, Standing
from relay.core.incident_log import Answers, Happening, Part, Sample
from tests.contract.conftest import STREAMS, VIEWS, Subject
from tests.contract.valkey import valkey_server

STANDING = Standing(1_770_000_000_000, 7, {"USD": 12_500_000, "": -1}, {"accepted": 2**52, "dead:expired": 3})
FIRST = Incident(
    "shop",
    1,
    opened_ms=1_770_000_000_000,
    causes=("gate", "backlog"),
    reason="http_502 ü",
    troubled_ms=5,
    every_ms=60_000,
    opening=STANDING,
    latest=replace(STANDING, owed=8),
    peak=Peak(9, 4, {"EUR": 1}, 77),
)
SAMPLE = Sample("s-1", 60_000, 0, {"accepted": 3}, 4, 2, 1500, {"USD": 1}, "open")
PART = Part(
    "p-1",
    61_000,
    3,
    (1, 2, 0),
    7.5,
    {"Purchase": {"USD": (2, 5_000_000), "": (1, 0)}},
    {"expired": {"USD": 4}},
    {"50002": Answers(3, "retry", 1, 2, "busy", ("r1", "r2"))},
)
MOMENT = Happening("h-1", 62_000, "gate", "closed", "open", "http_502", 0)


async def test_nothing_is_there_at_first(subject: Subject) -> None:
    assert await subject.incidents.list("shop") == []
    assert await subject.incidents.log("shop", 1) == []
    assert not await subject.incidents.append("shop", 1, [MOMENT])
    assert await subject.incidents.log("shop", 1) == []


async def test_what_was_saved_is_read(subject: Subject) -> None:
    assert await subject.incidents.save(FIRST, 0, [MOMENT, SAMPLE, PART])
    assert await subject.incidents.list("shop") == [replace(FIRST, version=1)]
    assert await subject.incidents.log("shop", 1) == [MOMENT, SAMPLE, PART]
    assert await subject.incidents.list("app") == []


async def test_two_replicas_cannot_write_the_same_sample(subject: Subject) -> None:
    assert await subject.incidents.save(FIRST, 0, [])
    assert not await subject.incidents.save(replace(FIRST, reason="late"), 0, [MOMENT]), "opened twice"
    assert await subject.incidents.save(replace(FIRST, reason="second"), 1, [SAMPLE])
    assert not await subject.incidents.save(replace(FIRST, reason="third"), 1, [replace(SAMPLE, token="s-2")])
    (record,) = await subject.incidents.list("shop")
    assert (record.version, record.reason) == (2, "second")
    assert await subject.incidents.log("shop", 1) == [SAMPLE]


async def test_a_line_written_twice_is_read_once(subject: Subject) -> None:
    await subject.incidents.save(FIRST, 0, [MOMENT])
    for _ in range(2):
        assert await subject.incidents.append("shop", 1, [MOMENT, PART])
    assert await subject.incidents.log("shop", 1) == [MOMENT, PART]


async def test_long_logs_are_read_whole(subject: Subject) -> None:
    lines = [replace(MOMENT, token=f"h-{number}", at_ms=number) for number in range(2300)]
    await subject.incidents.save(FIRST, 0, lines[:700])
    await subject.incidents.append("shop", 1, lines[700:])
    assert await subject.incidents.log("shop", 1) == lines


async def test_old_incidents_are_forgotten_with_their_logs(subject: Subject) -> None:
    for number in range(1, stored.KEPT + 3):
        assert await subject.incidents.save(replace(FIRST, number=number), 0, [MOMENT])
    found = await subject.incidents.list("shop")
    assert [one.number for one in found] == list(range(stored.KEPT + 2, 2, -1))
    assert await subject.incidents.log("shop", 2) == []
    assert not await subject.incidents.append("shop", 2, [PART])
    assert await subject.incidents.log("shop", 2) == [], "nothing comes back to life"
    assert await subject.incidents.log("shop", 3) == [MOMENT]


async def test_the_log_has_an_end(redis_store: RedisStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "LINES", 300)
    await redis_store.incidents.save(FIRST, 0, [])
    for start in range(0, 2000, 500):
        lines = [replace(MOMENT, token=f"h-{number}") for number in range(start, start + 500)]
        await redis_store.incidents.append("shop", 1, lines)
    log = await redis_store.incidents.log("shop", 1)
    assert 300 <= len(log) < 500
    assert log[-1].token == "h-1999"


async def test_lines_of_another_version_are_left_out(redis_store: RedisStore) -> None:
    await redis_store.incidents.save(FIRST, 0, [MOMENT])
    name = keys.incident_log("shop", 1)
    for line in (b"", b"[]", b"{}", b'{"kind":"new"}', b'{"kind":"sample"}', b'{"kind":"part","answers":3}'):
        await redis_store.client.run("XADD", name, "*", "d", line)
    more = b'{"kind":"happening","token":"h-9","at_ms":1,"what":"pause","mood":"good"}'
    await redis_store.client.run("XADD", name, "*", "d", more)
    assert [one.token for one in await redis_store.incidents.log("shop", 1)] == ["h-1", "h-9"]
    await redis_store.client.run("HSET", keys.incidents("shop"), "7", "1 nonsense", "x", "1 {}")
    assert [one.number for one in await redis_store.incidents.list("shop")] == [1]


GOOD: list[Any] = [2, 0, b"{}", -48, 100, b"{}"]


@pytest.mark.parametrize(
    "at",
    [{0: "x"}, {0: 0}, {0: "1e3"}, {1: "x"}, {1: -1}, {1: ""}, {2: b""}, {3: "y"}, {3: 2}, {3: 3}, {4: 0}, {4: "inf"}],
)
async def test_hostile_arguments_change_nothing(redis_store: RedisStore, at: dict[int, Any]) -> None:
    await redis_store.incidents.save(FIRST, 0, [MOMENT])
    names = [keys.incidents("shop"), keys.incident_log("shop", 2), keys.incident_log("shop", 0)]
    args = list(GOOD)
    for position, value in at.items():
        args[position] = value
    with pytest.raises(StoreMisused, match="RELAY"):
        await redis_store.client.script("incident", names, args)
    assert len(await redis_store.incidents.list("shop")) == 1
    assert await redis_store.client.run("EXISTS", names[1]) == 0
    assert await redis_store.client.script("incident", names, GOOD) == 1


async def test_a_key_of_another_type_changes_nothing(redis_store: RedisStore) -> None:
    await redis_store.client.run("SET", keys.incident_log("shop", 1), "text")
    with pytest.raises(StoreMisused):
        await redis_store.incidents.save(FIRST, 0, [MOMENT])
    assert await redis_store.incidents.list("shop") == []


async def test_a_full_store_is_told_about() -> None:
    with valkey_server(maxmemory="8mb") as socket:
        client = connect(f"unix://{socket}")
        store = await RedisStore.open(client, STREAMS, SystemClock())
        noise, number = b"".join(bytes([n]) * 3 for n in range(256)), 0
        trouble = None
        while trouble is None:
            entries = [NewEntry(VIEWS, f"id-{number + at}", noise, 1, "web") for at in range(100)]
            number += 100
            try:
                await store.inbox.append(entries)
            except StoreUnavailable as refused:
                trouble = refused.trouble
        assert trouble is StoreTrouble.FULL
        assert await store.incidents.save(FIRST, 0, [MOMENT])
        assert await store.incidents.append("shop", 1, [PART])
        assert await store.incidents.log("shop", 1) == [MOMENT, PART]
        await client.close()
