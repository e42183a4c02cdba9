"""Reading a request: its body, bounded while it streams in, and the address of the visitor behind it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address, ip_network

from aiohttp import ClientPayloadError, web
from aiohttp.http_exceptions import HttpProcessingError

from relay.core.notices import Why
from relay.core.segment.envelope import Unreadable

Network = IPv4Network | IPv6Network


def body_at_hand(request: web.BaseRequest, limit: int) -> bytes | Unreadable | None:
    """The body if all of it came in one piece with the head, as small ones do; None when it has to be read.

    Looked at where aiohttp keeps it, not read: a read makes aiohttp start its parser once more for whatever may have
    waited behind the body (3.14: 4 of 80 µs a request). Behind an end of file nothing waits.
    """
    content = request.content
    pieces: Sequence[bytes] = getattr(content, "_buffer", ())
    if len(pieces) != 1 or not content.is_eof() or content.exception() is not None:
        return None
    body = pieces[0]
    if type(body) is not bytes:  # another version of aiohttp keeps it in another way
        return None
    return body if len(body) <= limit else _too_large(limit)


async def read_body(request: web.BaseRequest, limit: int) -> bytes | Unreadable:
    """The decompressed body. A body over ``limit`` bytes is given up as soon as that is known.

    Not ``request.read()``: that one lets gzip unfold into pieces as large as the whole limit before it looks at them.
    """
    if (request.content_length or 0) > limit:
        return _too_large(limit)
    content = request.content
    chunks: list[bytes] = []
    size = 0
    try:
        while chunk := await content.readany():
            chunks.append(chunk)
            size += len(chunk)
            if size > limit:
                return _too_large(limit)
    except (HttpProcessingError, ClientPayloadError, web.RequestPayloadError):
        return Unreadable(Why.BAD_ENCODING, "")
    return b"".join(chunks)


def _too_large(limit: int) -> Unreadable:
    hint = f"the body is over {limit} bytes when decompressed: send smaller batches (500 events are plenty)"
    return Unreadable(Why.TOO_LARGE, hint)


def basic_user(header: str) -> str:
    """User of a Basic ``Authorization`` header, with or without the colon; '' for anything else."""
    scheme, _, coded = header.partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(coded.strip(), validate=True).decode().partition(":")[0]
    except (binascii.Error, ValueError):
        return ""


def parse_networks(texts: tuple[str, ...]) -> tuple[Network, ...]:
    """Addresses and networks of the configuration; raises ValueError for anything else."""
    return tuple(ip_network(text, strict=False) for text in texts)


def visitor_ip(peer: str, forwarded: str, trusted: tuple[Network, ...]) -> str:
    """IPv4 address of the client: the last hop in X-Forwarded-For that is no trusted proxy, else the peer.

    '' for IPv6 and for nonsense, because Segment fills in IPv4 only and the relay says what Segment says.
    """
    hops = [hop.strip() for hop in forwarded.split(",")] if forwarded else []
    address = peer
    while _is_trusted(address, trusted) and hops:
        address = hops.pop()
    try:
        return str(IPv4Address(address.removeprefix("::ffff:")))
    except ValueError:
        return ""


def _is_trusted(address: str, trusted: tuple[Network, ...]) -> bool:
    try:
        parsed = ip_address(address.removeprefix("::ffff:"))
    except ValueError:
        return False
    return any(parsed in network for network in trusted)
