"""The stage of a drill: a relay with its embedded Valkey, a simulated TikTok, and how to reach both."""

from __future__ import annotations

import os
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from redis.asyncio import Redis
from redis.exceptions import RedisError

from relay.adapters.redis.directory import Directory
from relay.cli.client import Failed
from relay.cli.drilling.processes import (
    QUICK,
    Actor,
    answering,
    clean_environ,
    free_port,
    local,
    running,
    without_orphan,
)
from relay.core.event import JsonObject

PIXEL = "DRILLPIXEL0000000000"
DESTINATION = "tiktok"
TOKENS = ("drill-token-1", "drill-token-2")
"""What TikTok accepts at first, and after the first was revoked."""
OWED = f"*:owed:{DESTINATION}:*"
"""Keys of what is owed, whatever their partition and class."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Where everything is while the drill runs."""

    session: aiohttp.ClientSession
    relay: Actor
    intake: str
    admin: str
    tiktok: str
    secret: str
    admin_token: str

    async def status(self) -> JsonObject | None:
        """The relay's status document; None while it does not answer."""
        return await self._get(f"{self.admin}/api/status")

    async def counted(self) -> JsonObject:
        """What TikTok has counted so far, in numbers."""
        return await self._get(f"{self.tiktok}/counted") or {}

    async def letters(self) -> list[JsonObject]:
        """All dead letters of the destination."""
        found: list[JsonObject] = []
        after: str | None = ""
        while after is not None:
            query = f"destination={DESTINATION}&limit=1000&after={after}"
            page = await self._get(f"{self.admin}/api/dead-letters?{query}") or {"letters": [], "next": None}
            found += page["letters"]
            after = page["next"]
        return found

    async def ids(self) -> list[JsonObject]:
        """What TikTok has counted, one by one."""
        async with self.session.get(f"{self.tiktok}/counted/ids") as answer:
            return [orjson.loads(line) for line in (await answer.read()).splitlines()]

    async def incident(self) -> JsonObject | None:
        """The latest incident's whole document; None when there was none."""
        return await self._get(f"{self.admin}/api/incidents/latest")

    async def metrics(self) -> str | None:
        """The metrics page, as Prometheus scrapes it; None when nobody answers."""
        with suppress(aiohttp.ClientError, TimeoutError):
            async with self.session.get(f"{self.admin}/metrics", timeout=QUICK) as answer:
                return await answer.text()
        return None

    async def control(self, **switches: Any) -> None:
        """Move the simulator's switches."""
        async with self.session.put(f"{self.tiktok}/control", json=switches) as answer:
            if answer.status != 200:
                raise Failed(f"the simulator refused {switches}: {await answer.text()}")

    async def command(self, action: str, **body: str) -> None:
        """What an operator does to the destination: pause, resume, failover, failback."""
        url = f"{self.admin}/api/destinations/{DESTINATION}/{action}"
        try:
            async with self.session.post(url, json=body, headers=self._vouched, timeout=QUICK) as answer:
                if answer.status != 200:
                    raise Failed(f"the relay refused to {action}: {await answer.text()}")
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Failed(f"the relay does not {action}: {error or type(error).__name__}") from None

    def rotate(self, token: str) -> None:
        """Put another token into the relay's secret file, in one step as orchestrators do."""
        fresh = self.relay.folder / "token.new"
        fresh.write_text(token, encoding="ascii")
        fresh.replace(self.relay.folder / "token")

    async def crash(self) -> int:
        """Kill -9 of the relay and of its Valkey; nobody gets to say goodbye. Returns how many entries are owed."""
        try:
            async with Redis(unix_socket_path=str(Directory(self.relay.folder / "data", 0, 0).socket)) as client:
                valkey = int((await client.info("server"))["process_id"])
                owed = sum([await client.xlen(key) async for key in client.scan_iter(OWED, count=1_000)])
        except RedisError as error:
            raise Failed(f"the relay's Valkey cannot be reached, so it cannot be killed: {error}") from None
        self.relay.kill()
        with suppress(ProcessLookupError):
            os.kill(valkey, signal.SIGKILL)
        return owed

    @property
    def _vouched(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.admin_token}"}

    async def _get(self, url: str) -> JsonObject | None:
        headers = self._vouched if url.startswith(self.admin) else {}
        with suppress(aiohttp.ClientError, TimeoutError):
            async with self.session.get(url, headers=headers, timeout=QUICK) as answer:
                document: JsonObject = await answer.json()
                return document if answer.status == 200 else None
        return None


@asynccontextmanager
async def staged(
    folder: Path, serve: Sequence[str], settings: Mapping[str, str], simulator_options: Sequence[str]
) -> AsyncIterator[Stage]:
    """Simulator up, relay up, and both down again on the way out, the relay first."""
    intake, admin, tiktok = (free_port() for _ in range(3))
    secret, token = secrets.token_hex(16), secrets.token_hex(16)
    environ = relay_environ(folder, intake, admin, tiktok) | {
        "RELAY_SEGMENT_SHARED_SECRET": secret,
        "RELAY_ADMIN_TOKEN": token,
        **settings,
    }
    (folder / "token").write_text(TOKENS[0], encoding="ascii")
    command = [sys.executable, "-m", "relay", "simulator", "--port", str(tiktok), *simulator_options]
    simulator = Actor("simulator", command, clean_environ(), folder)
    relay = Actor("relay", list(serve) or [sys.executable, "-m", "relay.cli.drilling.serving"], environ, folder)
    async with (
        without_orphan(folder / "data"),
        aiohttp.ClientSession(trust_env=False) as session,
        running(simulator),
        running(relay),
    ):
        await answering(session, f"{local(tiktok)}/control", simulator)
        await answering(session, f"{local(intake)}/readyz", relay)
        yield Stage(session, relay, local(intake), local(admin), local(tiktok), secret, token)


def relay_environ(folder: Path, intake: int, admin: int, tiktok: int) -> dict[str, str]:
    """Settings of the relay on stage: everything by environment, nothing of the operator's own relay."""
    return clean_environ() | {
        "RELAY_HOST": "127.0.0.1",
        "RELAY_PORT": str(intake),
        "RELAY_ADMIN_PORT": str(admin),
        "RELAY_DATA_DIR": str(folder / "data"),
        "RELAY_DESTINATIONS__0__NAME": DESTINATION,
        "RELAY_DESTINATIONS__0__EVENT_SOURCE_ID": PIXEL,
        "RELAY_DESTINATIONS__0__ACCESS_TOKEN_FILE": str(folder / "token"),
        "RELAY_TIKTOK_BASE_URL": local(tiktok),
        "RELAY_JOURNAL__DISK_FLOOR": "16MiB",  # a drill writes a few megabytes
        "RELAY_JOURNAL__BALLAST": "1MiB",
        "RELAY_LOG_FORMAT": "json",
    }
