"""How an event is kept: one header byte, then the event, compressed with a shared dictionary.

Header bits::

    7 6  version, 0
    5    cipher; 0 until encryption exists
    4-0  dictionary: 0 = not compressed, 31 = compressed without one, else the number of ``dictionaries/<n>.dict``

A dictionary is never changed and never removed: entries and dead letters written with it may still exist. A new one
gets the next number, and the highest number present is what new entries are written with.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import zstandard

SHIPPED = Path(__file__).parent / "dictionaries"
LEVEL = 5
SEARCH = {"hash_log": 18, "chain_log": 18, "search_log": 6, "min_match": 6}
"""A long outage is paid in memory: level 5, searching a little longer, takes 10 µs an event and leaves 8 % fewer bytes
than level 1 does in 2.5 µs, while intake takes 70 µs in all. Level 6 would take 13 µs for 2 % more."""
WINDOW_LOG = 16  # an event is small: the dictionary fits, and a window for megabytes would only take memory
RAW: Final = 0
PLAIN: Final = 31  # zstd without a dictionary
RESERVED = 0b1110_0000
# The header says what the frame's own header would: no magic number and no dictionary id, eight bytes an entry saved.
FORMAT = zstandard.FORMAT_ZSTD1_MAGICLESS


class Undecodable(ValueError):
    """A record that no dictionary here can read: another version wrote it, or it is damaged."""


def load_dictionaries(folders: Iterable[Path] = (SHIPPED,)) -> dict[int, bytes]:
    """Number → dictionary, of all ``<number>.dict`` files; a later folder adds to an earlier one."""
    found = {int(file.stem): file.read_bytes() for folder in folders for file in sorted(folder.glob("*.dict"))}
    wrong = [number for number in found if not RAW < number < PLAIN]
    if wrong:
        raise ValueError(f"dictionary numbers must lie between 1 and {PLAIN - 1}: {wrong}")
    return found


class Codec:
    """Encodes and decodes events. Not for use by two threads at once."""

    def __init__(self, dictionaries: Mapping[int, bytes]) -> None:
        shared = {number: zstandard.ZstdCompressionDict(data) for number, data in dictionaries.items()}
        self._decompress = {
            number: zstandard.ZstdDecompressor(dict_data=data, format=FORMAT).decompress
            for number, data in shared.items()
        }
        self._decompress[PLAIN] = zstandard.ZstdDecompressor(format=FORMAT).decompress
        self.current = max(dictionaries, default=PLAIN)
        self._header = bytes((self.current,))
        self._compress = _compressor(shared.get(self.current)).compress

    def encode(self, raw: bytes) -> bytes:
        """Header and frame; stored as it is where compressing does not pay."""
        packed = self._compress(raw)
        return self._header + packed if len(packed) < len(raw) else b"\0" + raw

    def decode(self, kept: bytes) -> bytes:
        """The event; Undecodable when that is impossible here."""
        try:
            header = kept[0]
            return self._decompress[header](kept[1:]) if header else kept[1:]
        except KeyError:
            raise Undecodable(_why(kept[0])) from None
        except (IndexError, zstandard.ZstdError) as exc:
            raise Undecodable(f"damaged record of {len(kept)} bytes: {exc}") from exc


def _compressor(shared: zstandard.ZstdCompressionDict | None) -> zstandard.ZstdCompressor:
    frame = {"format": FORMAT, "write_content_size": True, "write_dict_id": False, "write_checksum": False}
    parameters = zstandard.ZstdCompressionParameters.from_level(LEVEL, window_log=WINDOW_LOG, **SEARCH, **frame)
    if shared is None:
        return zstandard.ZstdCompressor(compression_params=parameters)
    shared.precompute_compress(compression_params=parameters)
    return zstandard.ZstdCompressor(dict_data=shared, compression_params=parameters)


def _why(header: int) -> str:
    if header & RESERVED:
        return f"record header {header:#04x}: written by a newer version, or encrypted"
    return f"dictionary {header} is not here"
