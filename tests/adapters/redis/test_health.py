from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from relay.adapters.redis.health import Facts, Finding, Level, judge, knows_waitaof

NOW = 1_770_000_000_000
WELL = Facts(
    info={
        "valkey_version": "8.1.0",
        "redis_version": "7.2.4",
        "role": "master",
        "aof_enabled": 1,
        "used_memory": 10,
        "maxmemory": 100,
        "connected_slaves": 0,
    },
    settings={
        "appendfsync": "always",
        "maxmemory-policy": "noeviction",
        "set-max-intset-entries": "16384",
        "save": "",
        "appendonly": "yes",
    },
    server_ms=NOW,
    host_ms=NOW + 100,
    last_ids={"relay:{0}:owed:shop:conversion": NOW},
)


def told(
    topic: str, info: dict[str, Any] | None = None, settings: dict[str, str] | None = None, **more: Any
) -> Finding:
    facts = replace(WELL, info={**WELL.info, **(info or {})}, settings={**WELL.settings, **(settings or {})}, **more)
    return next(one for one in judge(facts).findings if one.topic == topic)


def test_a_well_kept_store_has_nothing_to_complain_about() -> None:
    health = judge(WELL)
    assert {one.level for one in health.findings} == {Level.OK}
    assert health.refusals == []
    assert "survives a power cut" in health.durability


@pytest.mark.parametrize(
    ("info", "settings", "level", "words"),
    [
        ({}, {"appendfsync": "everysec"}, Level.WARNING, "one or two seconds"),
        ({}, {"appendfsync": "no"}, Level.WARNING, "half a minute"),
        ({}, {"appendfsync": ""}, Level.WARNING, "ask the provider"),
        ({"aof_enabled": 0}, {}, Level.WARNING, "does not survive a restart"),
        ({"aof_enabled": 0}, {"save": "3600 1"}, Level.WARNING, "possibly hours"),
        ({"aof_last_write_status": "err"}, {}, Level.WARNING, "cannot be written"),
        ({"connected_slaves": 2}, {"appendfsync": "everysec"}, Level.WARNING, "fail-over"),
    ],
)
def test_durability_in_plain_words(info: dict[str, Any], settings: dict[str, str], level: Level, words: str) -> None:
    found = told("durability", info, settings)
    assert found.level is level
    assert words in found.text


def test_confirming_replicas_make_up_for_everysec() -> None:
    found = told("durability", {"connected_slaves": 2}, {"appendfsync": "everysec"}, replicas=2)
    assert found.level is Level.OK
    assert "2 replicas confirm" in found.text
    assert told("replicas", {"connected_slaves": 1}, replicas=2).level is Level.WARNING


@pytest.mark.parametrize(
    ("info", "level"),
    [
        ({"valkey_version": "7.2.8"}, Level.REFUSE),
        ({"valkey_version": "8.0.1"}, Level.OK),
        ({"valkey_version": None, "redis_version": "6.2.14"}, Level.REFUSE),
        ({"valkey_version": None, "redis_version": "7.0.15"}, Level.OK),
    ],
)
def test_old_servers_are_refused(info: dict[str, Any], level: Level) -> None:
    facts = replace(WELL, info={key: value for key, value in {**WELL.info, **info}.items() if value is not None})
    assert next(one for one in judge(facts).findings if one.topic == "version").level is level


@pytest.mark.parametrize(
    ("policy", "level"),
    [("noeviction", Level.OK), ("volatile-lru", Level.WARNING), ("allkeys-lfu", Level.REFUSE)],
)
def test_eviction(policy: str, level: Level) -> None:
    assert told("eviction", settings={"maxmemory-policy": policy}).level is level


def test_a_replica_is_refused() -> None:
    assert told("role", {"role": "slave"}).level is Level.REFUSE


@pytest.mark.parametrize(("skew", "level"), [(5000, Level.OK), (5001, Level.REFUSE), (-5001, Level.REFUSE)])
def test_clocks_that_differ_are_refused(skew: int, level: Level) -> None:
    found = told("clock", host_ms=NOW - skew)
    assert found.level is level
    assert ("ahead" in found.text) == (skew > 0)


@pytest.mark.parametrize(("ahead", "level"), [(600_000, Level.OK), (600_001, Level.REFUSE)])
def test_ids_ahead_of_the_clock_are_refused(ahead: int, level: Level) -> None:
    assert told("ids", last_ids={"a": NOW - 5, "b": NOW + ahead}).level is level


def test_headroom_and_dedupe_are_warned_about() -> None:
    assert told("headroom", {"maxmemory": 0}).level is Level.WARNING
    assert told("headroom", {"used_memory": 81}).level is Level.WARNING
    assert told("dedupe", settings={"set-max-intset-entries": "512"}).level is Level.WARNING


def test_where_config_is_forbidden_info_says_what_it_can() -> None:
    health = judge(replace(WELL, settings={}, info={**WELL.info, "maxmemory_policy": "allkeys-lru"}))
    assert any("allkeys-lru" in text for text in health.refusals)


@pytest.mark.parametrize(
    ("info", "knows"),
    [
        ({"valkey_version": "8.0.0"}, True),
        ({"redis_version": "7.0.15"}, False),
        ({"redis_version": "7.2.0"}, True),
        ({"redis_version": "8.0.0"}, True),
    ],
)
def test_who_knows_waitaof(info: dict[str, str], knows: bool) -> None:  # noqa: FBT001 - a table
    assert knows_waitaof(info) is knows
