"""The one that seals and opens records; see ``sealing``. Apart because its library takes 7 MB that few need."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from relay.adapters.redis.sealing import HEAD_BYTES, ID_BYTES, KEY_BYTES, NONCE_BYTES, Forged, UnknownKey, id_in, key_id

DAY_MS = 86_400_000
BODY_AT = HEAD_BYTES + NONCE_BYTES
MOST_DAYS = 128
"""Derived keys that are remembered, of all days and keys; deriving one again takes some microseconds."""


class Sealer:
    """Seals with the first key, opens with any. ``now_ms``: the wall clock, for the day."""

    def __init__(self, keys: Sequence[bytes], now_ms: Callable[[], int]) -> None:
        if not keys or any(len(key) != KEY_BYTES for key in keys):
            raise ValueError(f"keys of {KEY_BYTES} bytes are needed")
        self._keys = {bytes.fromhex(key_id(key)): key for key in keys}
        self._current = bytes.fromhex(key_id(keys[0]))
        self._now_ms = now_ms
        self._ciphers: dict[bytes, AESGCM] = {}
        self._day = -1
        self._tail = b""
        self._encrypt = AESGCM(bytes(KEY_BYTES)).encrypt  # until the first ``_turn``

    @property
    def ids(self) -> tuple[str, ...]:
        """The keys, the one that seals first."""
        return tuple(id_.hex() for id_ in self._keys)

    def seal(self, header: bytes, text: bytes) -> bytes:
        """The record with its header. Hot: once for each entry."""
        day = self._now_ms() // DAY_MS
        if day != self._day:
            self._turn(day)
        head, nonce = header + self._tail, os.urandom(NONCE_BYTES)
        return head + nonce + self._encrypt(nonce, text, head)

    def open(self, sealed: bytes) -> bytes:
        """What was sealed, without its header. Raises UnknownKey or Forged."""
        if len(sealed) < BODY_AT:
            raise Forged(f"a sealed record of {len(sealed)} bytes")
        head = sealed[:HEAD_BYTES]
        cipher = self._ciphers.get(head[1:]) or self._cipher(head[1:])
        try:
            return cipher.decrypt(sealed[HEAD_BYTES:BODY_AT], sealed[BODY_AT:], head)
        except InvalidTag as exc:
            raise Forged(f"a record of {len(sealed)} bytes that key {id_in(sealed)} does not open") from exc

    def _turn(self, day: int) -> None:
        """Another day, another key."""
        self._tail = self._current + day.to_bytes(2, "big")
        self._encrypt = self._cipher(self._tail).encrypt
        self._day = day

    def _cipher(self, name: bytes) -> AESGCM:
        """The cipher of one key and one day, named by both."""
        id_, day = name[:ID_BYTES], name[ID_BYTES:]
        if id_ not in self._keys:
            raise UnknownKey(id_.hex())
        if len(self._ciphers) >= MOST_DAYS:
            self._ciphers.clear()
        derive = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=b"relay entries " + day)
        cipher = self._ciphers[name] = AESGCM(derive.derive(self._keys[id_]))
        return cipher
