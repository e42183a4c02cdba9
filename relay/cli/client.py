"""The admin port from the command line: where it is, and how to ask it."""

from __future__ import annotations

import asyncio
import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import click
import orjson

from relay.config import load_settings
from relay.core.errors import ConfigError
from relay.core.event import JsonObject

PATIENCE = aiohttp.ClientTimeout(total=60, connect=5)
ANYWHERE = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - what a server binds to, never what a client calls


class Failed(click.ClickException):
    """One clear line, exit 1."""


class Misconfigured(Failed):
    """One clear line per problem, exit 2."""

    exit_code = 2


class Unreachable(Failed):
    """One clear line, exit 3."""

    exit_code = 3


@dataclass(frozen=True, slots=True)
class Address:
    """Where the admin port is, and the token for it."""

    url: str
    token: str


def find_admin(environ: Mapping[str, str] | None = None) -> Address:
    """From the same settings as ``relay serve``: RELAY_ADMIN_HOST, _PORT, _TOKEN, else ``DATA_DIR/admin.token``."""
    try:
        settings = load_settings(None, os.environ if environ is None else environ).settings  # noqa: TID251 - the door
    except ConfigError as error:
        raise Misconfigured("\n".join(["the configuration cannot be read:", *error.problems])) from None
    host = "127.0.0.1" if settings.admin.host in ANYWHERE else settings.admin.host
    url = f"http://{bracketed(host)}:{settings.admin.port}"
    if settings.admin.token is not None:
        return Address(url, settings.admin.token.get_secret_value())
    return Address(url, stored_token(settings.journal.data_dir / "admin.token", url))


def bracketed(host: str) -> str:
    """An address as it stands in a URL."""
    try:
        return f"[{host}]" if ipaddress.ip_address(host).version == 6 else host
    except ValueError:
        return host


def stored_token(path: Path, url: str) -> str:
    """The token that a running relay left behind."""
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        text = f"no admin token for {url}: set RELAY_ADMIN_TOKEN, or RELAY_DATA_DIR to the relay's folder ({path})"
        raise Unreachable(text) from None


def ask(method: str, path: str, *, body: object = None, query: Mapping[str, str] | None = None) -> JsonObject:
    """One request to the admin port; a refusal is one line and exit 1, no answer is one line and exit 3."""
    address = find_admin()
    status, document = asyncio.run(request(address, method, path, body, query or {}))
    if status >= 400:
        raise Failed(str(document.get("message") or f"the relay answered {status}"))
    return document


async def request(
    address: Address, method: str, path: str, body: object, query: Mapping[str, str]
) -> tuple[int, JsonObject]:
    """Status and JSON body."""
    headers = {"Authorization": f"Bearer {address.token}", "Content-Type": "application/json"}
    data = None if body is None else orjson.dumps(body)
    try:
        async with (
            aiohttp.ClientSession(timeout=PATIENCE, trust_env=False) as session,
            session.request(method, address.url + path, params=query, data=data, headers=headers) as answer,
        ):
            text = await answer.read()
    except (aiohttp.ClientError, TimeoutError) as error:
        raise unreachable(address.url, error) from None
    try:
        document: Any = orjson.loads(text)
    except ValueError:
        raise Unreachable(f"something else than a relay answers at {address.url}") from None
    return answer.status, document if isinstance(document, dict) else {}


def unreachable(url: str, error: Exception) -> Unreachable:
    """Why nobody is there."""
    reason = "no answer in time" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
    return Unreachable(f"no relay at {url} ({reason}); is it running, and are RELAY_ADMIN_HOST and _PORT right?")
