"""Encryption at rest: AES-256-GCM for each record, with a key of its own for each day.

A sealed record::

    header  key id  day  nonce  ciphertext and tag
    1       4       2    12     n + 16 bytes

The day's key is derived from the master key by HKDF-SHA256 (RFC 5869), because a key may meet 2^32 random nonces at
most (NIST SP 800-38D, section 8.3): that is 49,000 records a second, all day, by all replicas together. Header, key id
and day are authenticated along with the record. A key id is derived from the key itself: nobody can list a key under
another's name.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

KEY_BYTES = 32
ID_BYTES = 4
HEAD_BYTES = 1 + ID_BYTES + 2
NONCE_BYTES = 12
TAG_BYTES = 16
OVERHEAD: Final = HEAD_BYTES - 1 + NONCE_BYTES + TAG_BYTES
"""What sealing adds to a record that has its header already."""


class Forged(ValueError):
    """A record that its own key cannot open: damaged, or changed by somebody."""


class UnknownKey(LookupError):
    """A record sealed with a key that is not listed; the argument is the key's id."""


def key_id(key: bytes) -> str:
    """The public name of a key, 8 hexadecimal digits; it tells nothing of the key."""
    return blake2b(key, digest_size=ID_BYTES, person=b"relay key id").hexdigest()


def id_in(sealed: bytes) -> str:
    """Which key a record was sealed with."""
    return sealed[1 : 1 + ID_BYTES].hex()
