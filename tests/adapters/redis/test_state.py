from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from relay.adapters.redis.options import StoreOptions
from relay.adapters.redis.state import StoreState
from relay.app.service import Service
from relay.core.errors import StoreTrouble, StoreUnavailable


def trouble(info: dict[str, Any], options: StoreOptions | None = None) -> tuple[StoreTrouble | None, str]:
    return StoreState(options or StoreOptions()).read(info)


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        ({}, None),
        ({"loading": 1, "loading_loaded_perc": "40.12"}, StoreTrouble.LOADING),
        ({"role": "slave"}, StoreTrouble.READ_ONLY),
        ({"aof_last_write_status": "err"}, StoreTrouble.DISK_LOW),
        ({"used_memory": 101, "maxmemory": 100}, StoreTrouble.FULL),
        ({"used_memory": 101, "maxmemory": 100, "mem_not_counted_for_evict": 40}, StoreTrouble.OVER_LIMIT),
        ({"used_memory": 77, "maxmemory": 100}, StoreTrouble.OVER_LIMIT),
        ({"used_memory": 76, "maxmemory": 100}, None),
    ],
)
def test_what_the_servers_figures_mean(info: dict[str, Any], expected: StoreTrouble | None) -> None:
    assert trouble(info)[0] is expected


def test_loading_says_how_far() -> None:
    assert trouble({"loading": 1, "loading_loaded_perc": "40.12"})[1] == "loading 40 %"


@pytest.mark.parametrize(
    ("trouble", "detail", "said"),
    [
        (None, "", ""),
        (StoreTrouble.LOADING, "loading 40 %", "redis_loading 40 %"),
        (StoreTrouble.LOADING, "Redis at 10.0.0.7:6379 is loading the dataset in memory", "redis_loading"),
        (StoreTrouble.AWAY, "Error 111 connecting to 10.0.0.7:6379. Connect call failed", "redis_unreachable"),
        (StoreTrouble.DISK_LOW, "3 bytes free in /srv/relay", "disk_low"),
    ],
)
def test_strangers_are_not_told_where_redis_is(trouble: StoreTrouble | None, detail: str, said: str) -> None:
    state = StoreState(StoreOptions())
    state.trouble, state.detail = trouble, detail
    assert state.reason == said
    service = SimpleNamespace(_examined=asyncio.Event())
    redis = SimpleNamespace(state=state)
    assert Service._ready(service, redis, asyncio.Event()) == (False, said or "starting")  # type: ignore[arg-type]


def test_missing_replicas_and_a_full_disk() -> None:
    assert trouble({"connected_slaves": 1}, StoreOptions(replicas=2))[0] is StoreTrouble.REPLICAS
    assert trouble({}, StoreOptions(disk_low=lambda: "3 bytes free")) == (StoreTrouble.DISK_LOW, "3 bytes free")


def test_two_watermarks() -> None:
    state = StoreState(StoreOptions(max_bytes=1000, high=0.9, low=0.5))
    seen = [state.read({"used_memory": used})[0] for used in (899, 901, 899, 501, 500, 899, 901)]
    over = StoreTrouble.OVER_LIMIT
    assert seen == [None, over, over, over, None, None, over]


@pytest.mark.parametrize(
    ("max_bytes", "server", "limit"),
    [(None, 0, 0), (None, 1000, 800), (500, 0, 500), (500, 1000, 500), (900, 1000, 800)],
)
def test_the_smaller_limit_counts(max_bytes: int | None, server: int, limit: int) -> None:
    assert StoreState(StoreOptions(max_bytes=max_bytes)).limit_bytes(server) == limit


def test_only_a_watched_state_refuses_but_the_disk_is_always_asked() -> None:
    state = StoreState(StoreOptions())
    state.trouble = StoreTrouble.AWAY
    state.admit()
    state.watched = True
    with pytest.raises(StoreUnavailable):
        state.admit()
    with pytest.raises(StoreUnavailable, match="no room"):
        StoreState(StoreOptions(disk_low=lambda: "no room")).admit()


def shedding() -> StoreState:
    return StoreState(StoreOptions(max_bytes=1000, high=0.95, low=0.90, sheds=True))


def test_where_engagement_is_shed_intake_goes_on_between_the_watermarks() -> None:
    state = shedding()
    looks = [(state.read({"used_memory": used})[0], state.over) for used in (940, 951, 999, 910, 899, 940)]
    assert looks == [(None, False), (None, True), (None, True), (None, True), (None, False), (None, False)]
    assert state.room_bytes == 900


def test_who_fills_the_store_faster_than_it_sheds_is_stopped() -> None:
    state = shedding()
    assert state.read({"used_memory": 1001})[0] is StoreTrouble.OVER_LIMIT
    assert state.over, "shedding goes on"
    assert state.read({"used_memory": 999})[0] is None


def test_nothing_left_to_shed_is_as_if_nothing_was_ever_shed() -> None:
    state = shedding()
    state.read({"used_memory": 960})
    state.nothing_to_shed = True
    trouble, detail = state.read({"used_memory": 960})
    assert (trouble, detail) == (
        StoreTrouble.OVER_LIMIT,
        "96% of 1,000 bytes, and no engagement is left to shed",
    )
    assert state.over
    assert state.read({"used_memory": 901})[0] is StoreTrouble.OVER_LIMIT, "until the low watermark, as ever"
    assert state.read({"used_memory": 899})[0] is None
    assert state.read({"used_memory": 960})[0] is None, "a new beginning"


def test_what_shedding_made_room_for_is_no_trouble() -> None:
    """It came to its end between the watermarks: intake goes on until the high one is passed again."""
    state = shedding()
    state.read({"used_memory": 960})
    state.nothing_to_shed = True
    assert (state.read({"used_memory": 930})[0], state.over) == (None, False)
    assert (state.read({"used_memory": 945})[0], state.over) == (None, False)
    state.nothing_to_shed = True
    assert state.read({"used_memory": 951})[0] is None, "that was said of the time before"
    state.nothing_to_shed = True
    assert state.read({"used_memory": 951})[0] is StoreTrouble.OVER_LIMIT, "asked for once more, in vain"


def test_a_server_out_of_memory_takes_nothing_although_it_sheds() -> None:
    state = shedding()
    assert state.read({"used_memory": 990, "maxmemory": 980})[0] is StoreTrouble.FULL
    assert state.over


def test_an_archive_gives_way_before_intake_stops() -> None:
    state = StoreState(StoreOptions(max_bytes=1000, high=0.95, low=0.90, archive=True))
    looks = [(state.read({"used_memory": used})[0], state.archives) for used in (940, 951, 999, 910, 899)]
    assert looks == [(None, True), (None, False), (None, False), (None, False), (None, True)]
    assert state.read({"used_memory": 960})[0] is None
    state.nothing_to_shed = True
    assert state.read({"used_memory": 960}) == (StoreTrouble.OVER_LIMIT, "96% of 1,000 bytes")


def test_without_anything_to_give_up_it_makes_no_difference_that_nothing_is_left() -> None:
    state = StoreState(StoreOptions(max_bytes=1000, high=0.95, low=0.90))
    assert not state.archives
    assert state.read({"used_memory": 960})[0] is StoreTrouble.OVER_LIMIT
    state.nothing_to_shed = True
    assert state.read({"used_memory": 930})[0] is StoreTrouble.OVER_LIMIT
