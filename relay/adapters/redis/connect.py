"""One way to Redis for every kind of deployment. Foreign errors stop here.

``redis://``, ``rediss://``, ``unix://``, ``redis+sentinel://``, ``redis+cluster://``; ``valkey`` instead is the same.
Nothing is retried in here and every wait has an end: the caller decides at once whether to answer 503.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

from hiredis import pack_command
from redis import exceptions as foreign
from redis.asyncio import Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff

from relay.adapters.redis import keys
from relay.adapters.redis.scripts import SCRIPTS
from relay.core.errors import ConfigError, StoreMisused, StoreTrouble, StoreUnavailable

SCHEMES = ("redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster")
Command = tuple[Any, ...]
Keys = Sequence[bytes | str]
Args = Sequence[bytes | str | int]


class _Raw(Protocol):
    """What is used of redis-py; both of its clients have it."""

    def execute_command(self, *args: Any, **options: Any) -> Awaitable[Any]: ...

    async def aclose(self) -> None: ...


class Client:
    """Runs commands and scripts. Raises StoreUnavailable or StoreMisused, never anything of redis-py."""

    def __init__(self, raw: _Raw, timeout: float, *, shown: str = "", guides: Sequence[_Raw] = ()) -> None:
        self._raw = raw
        self._guides = guides  # the sentinels that know where the primary is
        self._plain = raw if isinstance(raw, Redis) else None
        self._cluster = raw if isinstance(raw, RedisCluster) else None
        self.timeout = timeout
        self.shown = shown  # where it leads, without secrets
        self.cluster = self._cluster is not None

    async def run(self, *command: Any) -> Any:
        """One command on the node that holds our keys."""
        with foreign_errors():
            return await self._raw.execute_command(*command, **await self._where())

    async def many(self, commands: Sequence[Command]) -> list[Any]:
        """Several commands in one round trip, on one connection (one after the other in a cluster)."""
        if self._plain is None:
            return [await self.run(*command) for command in commands]
        with foreign_errors():
            pipe = self._plain.pipeline(transaction=False)
            for command in commands:
                pipe.execute_command(*command)
            return list(await pipe.execute())

    async def script(self, name: str, keys_: Keys, args: Args) -> Any:
        """A script by its SHA; by its text where the server has not met it."""
        script = SCRIPTS[name]
        with foreign_errors():
            try:
                return await self._send("EVALSHA", script.sha, len(keys_), *keys_, *args)
            except foreign.NoScriptError:
                return await self._send("EVAL", script.text, len(keys_), *keys_, *args)

    async def _send(self, *command: Any) -> Any:
        """One command packed in C: redis-py's own packing of a group of 512 takes as long as compressing it."""
        if self._plain is None:
            return await self._raw.execute_command(*command, **await self._where())
        pool = self._plain.connection_pool
        connection = await pool.get_connection()  # type: ignore[no-untyped-call]
        try:
            await connection.send_packed_command([pack_command(command)])
            return await connection.read_response()
        finally:
            await pool.release(connection)

    async def script_then(self, name: str, keys_: Keys, args: Args, then: Command) -> tuple[Any, Any]:
        """A script and a command behind it on the same connection."""
        script = SCRIPTS[name]
        try:
            first, second = await self.many([("EVALSHA", script.sha, len(keys_), *keys_, *args), then])
        except StoreMisused as exc:
            if not isinstance(exc.__cause__, foreign.NoScriptError):
                raise
            first, second = await self.many([("EVAL", script.text, len(keys_), *keys_, *args), then])
        return first, second

    async def close(self) -> None:
        """Hang up."""
        for one in (self._raw, *self._guides):
            await one.aclose()

    async def _where(self) -> dict[str, Any]:
        """All our keys share one slot, so one node serves them; computing slots of 2,000 keys a call would be waste."""
        if self._cluster is None:
            return {}
        with foreign_errors():
            await self._cluster.initialize()
            return {"target_nodes": self._cluster.get_node_from_key(keys.meta())}


def connect(url: str, timeout: float = 5.0) -> Client:
    """A client for a URL; nothing is sent yet. ConfigError when the URL says nothing sensible."""
    url = url.replace("valkey", "redis", 1) if url.startswith("valkey") else url
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES:
        raise ConfigError([f"RELAY_REDIS_URL: {parts.scheme or 'no scheme'}: expected one of {', '.join(SCHEMES)}"])
    options: dict[str, Any] = {
        "socket_timeout": timeout,
        "socket_connect_timeout": min(2.0, timeout),
        "protocol": 2,
        "client_name": "relay",
    }
    shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    try:
        if parts.scheme.endswith("+sentinel"):
            primary, guides = _sentinel(url, options)
            return Client(primary, timeout, shown=shown, guides=guides)
        if parts.scheme.endswith("+cluster"):
            return Client(_cluster(url, options), timeout, shown=shown)
        return Client(_single(url, options), timeout, shown=shown)
    except (ValueError, TypeError) as exc:
        raise ConfigError([f"RELAY_REDIS_URL: {exc}"]) from exc


def _single(url: str, options: dict[str, Any]) -> _Raw:
    """``redis://``, ``rediss://`` and ``unix://``, as redis-py reads them; but it overlooks a database that is none."""
    parts = urlsplit(url)
    database = parts.path.strip("/")
    if parts.scheme != "unix" and database and not database.isdigit():
        raise ValueError(f"a database is a number, not {database!r}")
    single: _Raw = Redis.from_url(url, retry=None, **options)
    return single


def _sentinel(url: str, options: dict[str, Any]) -> tuple[_Raw, Sequence[_Raw]]:
    """``redis+sentinel://[user:password@]host:26379,host:26379/service[/db]``; the password is the servers'."""
    parts = urlsplit(url)
    service, _, database = parts.path.strip("/").partition("/")
    if not service:
        raise ValueError("the name of the service is missing: redis+sentinel://host:26379/name")
    waits = {name: options[name] for name in ("socket_timeout", "socket_connect_timeout")}
    asked = dict(parse_qsl(parts.query))
    sentinel_options = waits | {key[9:]: value for key, value in asked.items() if key.startswith("sentinel_")}
    sentinel = Sentinel(  # type: ignore[no-untyped-call]
        _hosts(parts.netloc, 26379), sentinel_kwargs={**sentinel_options, "retry": None}
    )
    primary = sentinel.master_for(
        service, db=int(database or 0), retry=None, **_secure(parts.scheme, parts.netloc), **options
    )
    return primary, tuple(sentinel.sentinels)  # a copy: redis-py reorders its own, not always without loss


def _cluster(url: str, options: dict[str, Any]) -> _Raw:
    """``redis+cluster://[user:password@]host:6379,host:6379``."""
    parts = urlsplit(url)
    nodes = [ClusterNode(host, port) for host, port in _hosts(parts.netloc, 6379)]
    retry = Retry(NoBackoff(), 0)
    return RedisCluster(startup_nodes=nodes, retry=retry, **_secure(parts.scheme, parts.netloc), **options)


def _hosts(netloc: str, default_port: int) -> list[tuple[str, int]]:
    hosts = []
    for one in netloc.rpartition("@")[2].split(","):
        parts = urlsplit(f"//{one}")
        if not parts.hostname:
            raise ValueError(f"a host is missing in {one!r}")
        hosts.append((parts.hostname, parts.port or default_port))
    return hosts


def _secure(scheme: str, netloc: str) -> dict[str, Any]:
    """Login and TLS as the URL names them."""
    name, colon, password = netloc.rpartition("@")[0].partition(":")
    options: dict[str, Any] = {"ssl": True} if scheme.startswith("rediss") else {}
    if name:
        options["username"] = unquote(name)
    return options | ({"password": unquote(password)} if colon else {})


@contextmanager
def foreign_errors() -> Iterator[None]:
    """Turn what redis-py raises into what the relay understands."""
    try:
        yield
    except (foreign.RedisError, foreign.RedisClusterException, OSError, TimeoutError) as exc:
        raise _translated(exc) from exc


@contextmanager
def as_written_here(key: str) -> Iterator[None]:
    """Reading what we wrote. What cannot be read was written by somebody else: a damaged key, and no bug."""
    try:
        yield
    except (LookupError, TypeError, ValueError) as exc:
        raise StoreMisused(f"{key} is damaged ({type(exc).__name__})") from exc


# What a server says first → what it means. Order does not matter: no prefix starts another.
ANSWERS = {
    "OOM": StoreTrouble.FULL,
    "LOADING": StoreTrouble.LOADING,
    "READONLY": StoreTrouble.READ_ONLY,
    "MISCONF": StoreTrouble.DISK_LOW,
    "NOREPLICAS": StoreTrouble.REPLICAS,
    "MASTERDOWN": StoreTrouble.AWAY,
    "CLUSTERDOWN": StoreTrouble.AWAY,
    "TRYAGAIN": StoreTrouble.AWAY,
    "BUSY": StoreTrouble.AWAY,
    "NOAUTH": StoreTrouble.AWAY,
    "WRONGPASS": StoreTrouble.AWAY,
    "NOPERM": StoreTrouble.AWAY,
    "UNBLOCKED": StoreTrouble.AWAY,
}
KINDS: tuple[tuple[type[Exception], StoreTrouble], ...] = (
    (foreign.BusyLoadingError, StoreTrouble.LOADING),
    (foreign.ReadOnlyError, StoreTrouble.READ_ONLY),
    (foreign.OutOfMemoryError, StoreTrouble.FULL),
    (foreign.NoPermissionError, StoreTrouble.AWAY),
    (foreign.ClusterDownError, StoreTrouble.AWAY),
    (foreign.AuthenticationWrongNumberOfArgsError, StoreTrouble.AWAY),
)


def _translated(exc: Exception) -> Exception:
    text = f"{exc}"
    for kind, trouble in KINDS:
        if isinstance(exc, kind):
            return StoreUnavailable(trouble, text)
    if isinstance(exc, foreign.ResponseError):
        trouble_said = ANSWERS.get(text.partition(" ")[0])
        return StoreUnavailable(trouble_said, text) if trouble_said else StoreMisused(text)
    if isinstance(exc, foreign.DataError):
        return StoreMisused(text)
    return StoreUnavailable(StoreTrouble.AWAY, text or type(exc).__name__)
