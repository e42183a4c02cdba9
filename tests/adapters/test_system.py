from __future__ import annotations

import asyncio
from pathlib import Path

from relay.adapters.system import FileSecret, watch_secrets
from relay.core.errors import StoreTrouble, StoreUnavailable


class Hours:
    """A clock whose sleeps take no time."""

    def now_ms(self) -> int:
        return 0

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


async def test_a_rotated_token_is_told_even_if_the_store_was_away(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("old\n")
    secret = FileSecret(file)
    stopping = asyncio.Event()
    asked: list[str] = []

    async def changed(name: str) -> None:
        asked.append(name)
        if len(asked) < 3:
            raise StoreUnavailable(StoreTrouble.AWAY)
        stopping.set()

    file.write_text("new\n")
    await asyncio.wait_for(watch_secrets({"shop": secret}, changed, Hours(), stopping), 5)
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
