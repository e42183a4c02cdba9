"""Reading a head: who sends, and the address of the visitor behind it."""

from __future__ import annotations

import base64
import binascii
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network


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
