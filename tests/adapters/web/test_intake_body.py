from __future__ import annotations

import base64

import pytest

from relay.adapters.web.intake_body import basic_user, parse_networks, visitor_ip

LOOPBACK = parse_networks(("127.0.0.0/8", "::1/128"))


@pytest.mark.parametrize(
    ("header", "user"),
    [
        ("Basic " + base64.b64encode(b"wk:").decode(), "wk"),
        ("basic " + base64.b64encode(b"wk").decode(), "wk"),
        ("Basic  " + base64.b64encode(b"wk:pass:word").decode(), "wk"),
        ("Basic", ""),
        ("Basic %", ""),
        ("Basic /w==", ""),
        ("Bearer " + base64.b64encode(b"wk:").decode(), ""),
        ("", ""),
    ],
)
def test_the_user_of_a_basic_header(header: str, user: str) -> None:
    assert basic_user(header) == user


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("203.0.113.9", "", "203.0.113.9"),
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),  # nobody asked this peer
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("127.0.0.1", "198.51.100.1, 203.0.113.7 ,127.0.0.9", "203.0.113.7"),
        ("::1", "198.51.100.1", "198.51.100.1"),
        ("::ffff:127.0.0.1", "::ffff:198.51.100.1", "198.51.100.1"),
        ("127.0.0.1", "unknown", ""),
        ("127.0.0.1", "2001:db8::1", ""),  # Segment fills in IPv4 only
        ("", "198.51.100.1", ""),  # a Unix socket has no address
    ],
)
def test_the_address_of_the_visitor(peer: str, forwarded: str, expected: str) -> None:
    assert visitor_ip(peer, forwarded, LOOPBACK) == expected


def test_proxies_may_be_addresses_or_networks() -> None:
    trusted = parse_networks(("10.0.0.1", "192.168.7.9/16"))
    assert visitor_ip("10.0.0.1", "198.51.100.1, 192.168.1.1", trusted) == "198.51.100.1"
    assert visitor_ip("127.0.0.1", "198.51.100.1", trusted) == "127.0.0.1"
    with pytest.raises(ValueError):
        parse_networks(("proxy.example.com",))
