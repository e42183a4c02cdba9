from __future__ import annotations

from typing import Any

import pytest

from relay.adapters.redis.options import StoreOptions
from relay.adapters.redis.state import StoreState
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
