from __future__ import annotations

from pathlib import Path

import pytest
from redis import exceptions as foreign

from relay.adapters.redis.connect import connect, foreign_errors
from relay.core.errors import ConfigError, RelayError, StoreMisused, StoreTrouble, StoreUnavailable


@pytest.mark.parametrize(
    ("exc", "trouble"),
    [
        (foreign.ConnectionError("no"), StoreTrouble.AWAY),
        (foreign.TimeoutError("slow"), StoreTrouble.AWAY),
        (foreign.AuthenticationError("WRONGPASS"), StoreTrouble.AWAY),
        (foreign.NoPermissionError("NOPERM"), StoreTrouble.AWAY),
        (foreign.BusyLoadingError("loading"), StoreTrouble.LOADING),
        (foreign.OutOfMemoryError("full"), StoreTrouble.FULL),
        (foreign.ReadOnlyError("replica"), StoreTrouble.READ_ONLY),
        (foreign.ResponseError("MISCONF Errors writing to the AOF file"), StoreTrouble.DISK_LOW),
        (foreign.ResponseError("OOM command not allowed"), StoreTrouble.FULL),
        (foreign.ResponseError("LOADING dataset"), StoreTrouble.LOADING),
        (foreign.ResponseError("BUSY running a script"), StoreTrouble.AWAY),
        (foreign.ResponseError("NOREPLICAS Not enough good replicas"), StoreTrouble.REPLICAS),
        (foreign.MasterDownError("MASTERDOWN"), StoreTrouble.AWAY),
        (foreign.ClusterDownError("CLUSTERDOWN"), StoreTrouble.AWAY),
        (foreign.RedisClusterException("cannot be connected"), StoreTrouble.AWAY),
        (OSError(2, "no such file"), StoreTrouble.AWAY),
        (TimeoutError(), StoreTrouble.AWAY),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_the_weather_is_unavailability(exc: Exception, trouble: StoreTrouble) -> None:
    with pytest.raises(StoreUnavailable) as found, foreign_errors():
        raise exc
    assert found.value.trouble is trouble
    assert found.value.__cause__ is exc


@pytest.mark.parametrize("exc", [foreign.ResponseError("RELAY entry 3: malformed"), foreign.DataError("a list?")])
def test_our_own_mistakes_are_misuse(exc: Exception) -> None:
    with pytest.raises(StoreMisused), foreign_errors():
        raise exc


def test_what_is_not_of_the_store_passes() -> None:
    with pytest.raises(KeyError), foreign_errors():
        raise KeyError("x")
    assert issubclass(StoreUnavailable, RelayError)


@pytest.mark.parametrize(
    "url",
    [
        "redis://localhost",
        "valkey://:pw@localhost:6380/2",
        "rediss://user:pw@h:1",
        "unix:///tmp/x.sock?db=1",
        "redis+sentinel://:pw@a:1,b:2/main/3",
        "redis+sentinel://[::1]:26379/main",
        "rediss+cluster://u:p%40@a,b:7000",
    ],
)
def test_urls_of_every_kind_of_deployment(url: str) -> None:
    client = connect(url)
    assert "pw" not in client.shown
    assert "p%40" not in client.shown


@pytest.mark.parametrize(
    "url",
    ["", "localhost:6379", "http://x", "redis://h:port", "redis+sentinel://a:1", "redis+cluster://,", "redis://h/x y"],
)
def test_a_url_that_says_nothing_sensible_is_a_config_error(url: str) -> None:
    with pytest.raises(ConfigError, match="RELAY_REDIS_URL"):
        connect(url)


async def test_nobody_there_is_said_at_once(tmp_path: Path) -> None:
    client = connect(f"unix://{tmp_path}/nobody.sock")
    with pytest.raises(StoreUnavailable) as found:
        await client.run("PING")
    assert found.value.trouble is StoreTrouble.AWAY
    await client.close()


async def test_no_cluster_and_no_sentinel_there_is_said_too() -> None:
    for url in ("redis+cluster://127.0.0.1:1", "redis+sentinel://127.0.0.1:1/main"):
        client = connect(url)
        with pytest.raises(StoreUnavailable) as found:
            await client.script("gate", ["relay:{0}:gate:x"], [0, "state", "open"])
        assert found.value.trouble is StoreTrouble.AWAY
        await client.close()
