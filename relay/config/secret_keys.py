"""Encryption keys as operators write them: 32 random bytes, in base64 or hexadecimal."""

from __future__ import annotations

import base64
import binascii

KEY_BYTES = 32
HOW = "must be 32 random bytes in base64 or hexadecimal; `head -c 32 /dev/urandom | base64` makes a key"


def key_bytes(text: str) -> bytes:
    """The key. ValueError when it is none; the message never quotes it, nor calls a short word a key."""
    text = text.strip()
    try:
        if len(text) == 2 * KEY_BYTES:
            return bytes.fromhex(text)
        key = base64.b64decode(text.translate(str.maketrans("-_", "+/")) + "=" * (-len(text) % 4), validate=True)
    except (ValueError, binascii.Error):
        raise ValueError(HOW) from None
    if len(key) != KEY_BYTES:
        raise ValueError(HOW)
    return key
