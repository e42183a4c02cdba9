from __future__ import annotations

import asyncio
import resource
from pathlib import Path

import pytest

from relay.adapters.system import FileSecret, Looks, allow_open_files, watch_secrets
from relay.core.errors import StoreMisused, StoreTrouble, StoreUnavailable


class Hours:
    """A clock whose sleeps take no time."""

    def now_ms(self) -> int:
        return 0

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


@pytest.mark.parametrize("trouble", [StoreUnavailable(StoreTrouble.AWAY), StoreMisused("WRONGTYPE")])
async def test_a_rotated_token_is_told_even_if_the_store_failed(tmp_path: Path, trouble: Exception) -> None:
    file = tmp_path / "token"
    file.write_text("old\n")
    secret = FileSecret(file)
    stopping = asyncio.Event()
    asked: list[str] = []

    async def changed(name: str) -> None:
        asked.append(name)
        if len(asked) < 3:
            raise trouble
        stopping.set()

    file.write_text("new\n")
    await asyncio.wait_for(watch_secrets({"shop": secret}, changed, Looks(Hours()), stopping), 5)
    assert asked == ["shop"] * 3
    assert secret() == "new"


def test_a_file_that_is_being_replaced_keeps_the_old_value(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("old")
    secret = FileSecret(file)
    file.unlink()
    assert not secret.reread()
    file.write_text("")
    assert not secret.reread()
    assert secret() == "old"


class Stuck(Hours):
    """A clock that counts how long was slept."""

    slept = 0.0

    async def sleep(self, seconds: float) -> None:
        self.slept += seconds
        await asyncio.sleep(0)


async def test_who_asks_need_not_wait_for_the_next_look() -> None:
    clock, stopping = Stuck(), asyncio.Event()
    looks = Looks(clock)
    assert not await looks.next(stopping)
    assert clock.slept >= 2
    clock.slept = 0
    looks.ask()  # before anybody waits: a look may be under way
    assert await looks.next(stopping)
    assert clock.slept == 0
    waiting = asyncio.ensure_future(looks.next(stopping))
    await asyncio.sleep(0)
    looks.ask()
    assert await waiting
    assert clock.slept < 1
    stopping.set()
    assert not await looks.next(stopping)


async def test_a_token_is_read_at_once_when_asked(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("old")
    clock, stopping, told = Stuck(), asyncio.Event(), asyncio.Event()
    looks = Looks(clock, every_s=3600)

    async def changed(name: str) -> None:
        told.set()

    watching = asyncio.ensure_future(watch_secrets({"shop": FileSecret(file)}, changed, looks, stopping))
    await asyncio.sleep(0)
    file.write_text("new")
    looks.ask()
    await asyncio.wait_for(told.wait(), 5)
    assert clock.slept < 3600
    stopping.set()
    await watching


def test_the_limit_of_open_files_is_raised_as_far_as_it_goes() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, soft), hard))
        assert allow_open_files(100) == min(256, soft)
        assert allow_open_files(300) == min(300, hard)
        assert hard == resource.RLIM_INFINITY or allow_open_files(hard + 1) == hard
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
