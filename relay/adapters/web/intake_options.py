"""What the intake port needs to know, already checked; secrets are bytes, times seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from relay.core.event import DEFAULT_SOURCE

UNKNOWN_SOURCE = "unknown"  # label for every name that is not configured


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """How one sender proves who it is. Two values in a list allow a rotation without a gap.

    ``trust_batches``: believe array elements that neither a signature nor a token vouches for (Segment sheet
    section 1.2). ``origins``: pages whose browsers may send, lower case, perhaps ``https://*.example.com``; none: all.
    ``rate``: events a second it may send, ``burst`` of them at once; 0 for any.
    """

    secrets: tuple[bytes, ...] = ()
    tokens: tuple[bytes, ...] = ()
    write_keys: tuple[bytes, ...] = ()
    trust_batches: bool = False
    origins: tuple[str, ...] = ()
    rate: float = 0.0
    burst: float = 1.0


@dataclass(frozen=True, slots=True)
class IntakeOptions:
    """``sources`` by name; ``DEFAULT_SOURCE`` is the one without a name.

    ``allow_unsigned``: a source without any secret or token (or, for the Tracking API, a relay without any write key)
    is believed; otherwise it is refused. ``trusted_proxies``: addresses or networks whose X-Forwarded-For is believed.
    Loopback is among them by default: who can connect from there could as well run a proxy there.
    ``public_url``: where SDKs reach this relay, '' for the address they asked.
    ``unverified_grace``: for how many seconds a sender that cannot be verified is told to come again.
    """

    sources: Mapping[str, SourceOptions] = field(default_factory=lambda: {DEFAULT_SOURCE: SourceOptions()})
    max_body: int = 32 * 1024**2
    max_events: int = 10_000
    max_depth: int = 64
    allow_unsigned: bool = False
    trusted_proxies: tuple[str, ...] = ("127.0.0.0/8", "::1/128")
    public_url: str = ""
    unverified_grace: float = 4 * 3600.0
