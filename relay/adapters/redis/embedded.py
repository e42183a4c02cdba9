"""The embedded default: a Valkey server as our child, so that a relay needs nothing but itself and a directory.

It outlives us if we are killed, and the next relay adopts it. It is restarted with back-off when it dies, and stopped
with SHUTDOWN when we stop. A full disk makes it exit for good; a reserve of disk space lets it come back and drain.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from relay.adapters.redis.connect import Client, connect
from relay.adapters.redis.directory import Directory
from relay.adapters.redis.valkey_process import (
    ADOPTED_SETTINGS,
    EmbeddedOptions,
    last_complaint,
    last_words,
    settings_of,
    spawn,
)
from relay.core.errors import ConfigError, StoreMisused, StoreUnavailable
from relay.core.notices import EmbeddedChanged
from relay.ports import Clock, Tell

__all__ = ["EmbeddedOptions", "EmbeddedValkey"]

LAUNCHES = 4
START_S = 30.0  # a socket that does not open in this time never will; loading comes after and is not in it
STOP_S = 15.0
LOOK_S = 0.1
ROOM_S = 1.0  # between looks at the disk
REWRITE_S = 86_400.0  # what was delivered or erased stays readable in the append-only file no longer than about this
TRY_S = 3600.0  # between tries, should one fail
BACK_OFF_S = (0.1, 10.0)
WELL_AFTER_S = 30.0  # alive this long: the next death starts over with the shortest wait
FULL_DISK = "No space left on device"


class EmbeddedValkey:
    """``start``, then ``watch`` beside everything else, then ``stop``; or ``async with`` around ``watch``."""

    def __init__(self, data_dir: Path, options: EmbeddedOptions, clock: Clock, tell: Tell) -> None:
        self._directory = Directory(data_dir, options.disk_floor, options.ballast)
        self._options, self._clock, self._tell = options, clock, tell
        self._child: subprocess.Popen[bytes] | None = None
        self._adopted = False
        self._rewriting = True  # whether the server may rewrite its append-only file by itself
        self._asked = False  # whether somebody wants it rewritten soon
        self._tried_at = float("-inf")

    @property
    def socket_path(self) -> Path:
        """Where the server listens."""
        return self._directory.socket

    @property
    def url(self) -> str:
        """For ``connect``."""
        return f"unix://{self.socket_path}"

    @property
    def alive(self) -> bool:
        """Whether the server process is there."""
        if self._child is not None:
            return self._child.poll() is None
        return self._adopted and not self._directory.server_lock.free()

    def disk_free_bytes(self) -> int:
        """Free bytes under the data."""
        return self._directory.free_bytes()

    def disk_low(self) -> str:
        """In words when the disk is nearly full, else ''; for ``StoreOptions.disk_low``."""
        return self._directory.low()

    def rewrite_soon(self) -> None:
        """Something was erased: write the append-only file anew, so that it leaves the disk as well."""
        self._asked = True

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start a server, or adopt the one that is there. ConfigError when another relay works in this directory."""
        self._directory.prepare()
        if not self._directory.relay_lock.take():
            other = f"another relay (process {self._directory.relay_lock.holder() or '?'})"
            advice = "stop it, or give this one another directory"
            raise ConfigError([f"RELAY_DATA_DIR: {other} works in {self._directory.path}: {advice}"])
        self._directory.relay_lock.sign()
        try:
            await self._start_or_adopt()
        except BaseException:
            self._directory.relay_lock.drop()
            raise
        self._balance()

    async def watch(self, stopping: asyncio.Event) -> None:
        """Bring it back whenever it dies, and look after its disk, until stopped."""
        wait, since, looked = BACK_OFF_S[0], self._clock.monotonic(), 0.0
        while not stopping.is_set():
            if not self.alive:
                if self._clock.monotonic() - since > WELL_AFTER_S:
                    wait = BACK_OFF_S[0]
                await self._revive(wait)
                wait, since = min(wait * 2, BACK_OFF_S[1]), self._clock.monotonic()
            elif self._clock.monotonic() - looked > ROOM_S:
                looked = self._clock.monotonic()
                await self._look_after_disk()
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), LOOK_S)

    async def stop(self) -> None:
        """SHUTDOWN, then SIGTERM, then SIGKILL; returns when the server is gone."""
        try:
            if self.alive:
                await self._shut_down()
                self._tell(EmbeddedChanged("stopped"))
        finally:
            self._directory.relay_lock.drop()

    async def _start_or_adopt(self) -> None:
        """Whoever gets the lock starts the server; else one is running, starting, or in its last moments."""
        until = self._clock.monotonic() + START_S
        while self._clock.monotonic() < until:
            if self._directory.server_lock.take():
                await self._launch()
                return
            if await self._answers():
                self._child, self._adopted = None, True
                await self._instruct()
                self._tell(EmbeddedChanged("adopted", f"process {await self._server_pid()}"))
                return
            await self._clock.sleep(LOOK_S)
        raise ConfigError(
            [f"{self._directory.path}/lock is held by a server that does not answer on {self.socket_path}"]
        )

    async def _launch(self) -> None:
        """Start our child and wait until it listens; again if it was killed, or without the ballast on a full disk."""
        self._adopted, self._rewriting = False, True
        for _ in range(LAUNCHES):
            try:
                self._child = spawn(self._directory, self._options)
            except OSError as exc:
                self._directory.server_lock.drop()
                raise ConfigError([f"the embedded Valkey cannot be started: {exc}"]) from exc
            if await self._listens():
                self._tell(EmbeddedChanged("started", f"process {self._child.pid}"))
                return
            killed = (self._child.poll() or 0) < 0
            if not (killed or self._make_room()) or not self._directory.server_lock.take():
                break
        self._directory.server_lock.drop()
        raise ConfigError([f"the embedded Valkey does not start; the end of its log:\n{last_words(self._directory)}"])

    async def _revive(self, wait: float) -> None:
        """Say that it died, wait, start another. A failure is told as another death, and tried again later."""
        code = self._child.returncode if self._child is not None else None
        self._tell(EmbeddedChanged("died", f"exit code {code}: {last_complaint(self._directory)}"))
        self._make_room()
        await self._clock.sleep(wait)
        with suppress(ConfigError):
            await self._start_or_adopt()

    def _make_room(self) -> bool:
        """Give up the ballast if the server died of a full disk; whether there is more room now."""
        full = FULL_DISK in last_words(self._directory) or self._directory.free_bytes() < self._options.ballast
        if full and self._directory.throw_ballast():
            self._tell(EmbeddedChanged("ballast_given_up", f"{self._options.ballast:,} bytes"))
            return True
        return False

    def _balance(self) -> None:
        if self._directory.take_ballast():
            self._tell(EmbeddedChanged("ballast_restored", f"{self._options.ballast:,} bytes"))

    async def _look_after_disk(self) -> None:
        """Ballast when there is room again; a rewrite of the append-only file only if it surely fits beside the old."""
        self._balance()
        client = self._client()
        try:
            with suppress(StoreUnavailable, StoreMisused):
                await self._allow_rewrites(client, await client.run("INFO"))
        finally:
            await client.close()

    async def _allow_rewrites(self, client: Client, info: dict[str, Any]) -> None:
        """A rewrite writes the data once more beside the old file; one that does not fit would fill the disk."""
        needed, free = int(info.get("used_memory_dataset", 0)), self._directory.free_bytes()
        fits = needed < free - self._options.disk_floor // 2
        if fits is not self._rewriting:
            await client.run("CONFIG", "SET", "auto-aof-rewrite-percentage", "100" if fits else "0")
            self._rewriting = fits
        # Drained on a nearly full disk: the file still holds everything that has gone, and only a rewrite frees it.
        swollen = int(info.get("aof_current_size", 0)) > 2 * needed
        idle = not info.get("aof_rewrite_in_progress") and not info.get("loading")
        if self._directory.low() and swollen and idle and needed < free + self._directory.ballast_bytes():
            if needed >= free and self._directory.throw_ballast():
                self._tell(EmbeddedChanged("ballast_given_up", "to rewrite the append-only file"))
            await client.run("BGREWRITEAOF")
        elif idle and fits and (self._asked or self._stale(info)):
            await self._rewrite(client)

    def _stale(self, info: dict[str, Any]) -> bool:
        """Whether the file still holds what has gone a day ago. The server by itself never rewrites one below 64 MB."""
        rewritten, now = self._directory.rewritten_s(), self._clock.monotonic()
        grown = int(info.get("aof_current_size", 0)) > int(info.get("aof_base_size", 0))
        old = rewritten is not None and self._clock.now_ms() / 1000 - rewritten >= REWRITE_S
        return old and grown and now - self._tried_at >= TRY_S

    async def _rewrite(self, client: Client) -> None:
        """Who asks while the server is being told gets another one: this one may not see what was erased then."""
        asked, self._asked, self._tried_at = self._asked, False, self._clock.monotonic()
        try:
            await client.run("BGREWRITEAOF")
        except (StoreUnavailable, StoreMisused):
            self._asked |= asked
            raise

    async def _instruct(self) -> None:
        """Tell an adopted server today's settings; one that is still loading keeps its own until the next start."""
        settings = settings_of(self._directory, self._options)
        client = self._client()
        try:
            with suppress(StoreUnavailable, StoreMisused):
                for name in (*ADOPTED_SETTINGS, "maxmemory"):
                    await client.run("CONFIG", "SET", name, settings[name])
        finally:
            await client.close()

    async def _shut_down(self) -> None:
        client = self._client()
        try:
            pid = self._child.pid if self._child is not None else await self._server_pid()
            with suppress(StoreUnavailable, StoreMisused):
                await client.run("SHUTDOWN", "NOSAVE")
        finally:
            await client.close()
        for last_resort in (signal.SIGTERM, signal.SIGKILL):
            if await self._gone():
                return
            if pid:
                with suppress(ProcessLookupError):
                    os.kill(pid, last_resort)
        await self._gone()

    async def _gone(self) -> bool:
        until = self._clock.monotonic() + STOP_S
        while self.alive and self._clock.monotonic() < until:
            await self._clock.sleep(LOOK_S / 2)
        return not self.alive

    async def _listens(self) -> bool:
        until = self._clock.monotonic() + START_S
        while self._clock.monotonic() < until and self.alive:
            if await self._answers():
                return True
            await self._clock.sleep(LOOK_S / 5)
        return False

    async def _answers(self) -> bool:
        """Whether somebody accepts on the socket; it may still be loading."""
        try:
            _, writer = await asyncio.open_unix_connection(self.socket_path)
        except OSError:
            return False
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        return True

    async def _server_pid(self) -> int:
        client = self._client()
        try:
            return int((await client.run("INFO", "server")).get("process_id", 0))
        except (StoreUnavailable, StoreMisused):
            return 0
        finally:
            await client.close()

    def _client(self) -> Client:
        return connect(self.url, timeout=2.0)
