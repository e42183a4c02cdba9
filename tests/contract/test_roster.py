from __future__ import annotations

import pytest

from relay.adapters.redis import keys, roster
from relay.adapters.redis.store import RedisStore
from tests.contract.conftest import Subject
from tests.twins.clock import FakeClock
from tests.twins.memory import GONE_MS


async def test_each_replica_counts_once_until_it_leaves(subject: Subject) -> None:
    assert [await subject.roster.announce(name) for name in ("a", "b", "a", "ü")] == [1, 2, 2, 3]
    await subject.roster.leave("b")
    await subject.roster.leave("nobody")
    assert await subject.roster.announce("a") == 2


async def test_who_is_silent_is_gone(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roster, "GONE_MS", 200)
    await subject.roster.announce("a")
    await subject.passes(GONE_MS + 1 if isinstance(subject.clock, FakeClock) else 210)
    assert await subject.roster.announce("b") == 1


async def test_a_word_from_a_future_that_was_taken_back_counts_for_nobody(redis_store: RedisStore) -> None:
    await redis_store.client.run("ZADD", keys.roster(), 9e12, "a")
    assert await redis_store.roster.announce("b") == 1


def test_the_twin_is_as_patient() -> None:
    assert GONE_MS == roster.GONE_MS
