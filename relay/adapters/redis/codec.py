"""How an event is kept: a header byte, then the event, compressed with a shared dictionary, sealed if there is a key.

Header bits::

    7 6  version, 0
    5    cipher: 0 = none, 1 = sealed (``sealing.py`` says what follows the header)
    4-0  dictionary: 0 = not compressed, 31 = compressed without one, else the number of ``dictionaries/<n>.dict``

A dictionary is never changed and never removed: entries and dead letters written with it may still exist. A new one
gets the next number, and the highest number present is what new entries are written with.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import zstandard

from relay.adapters.redis.sealing import Forged, UnknownKey, id_in

if TYPE_CHECKING:
    from relay.adapters.redis.sealer import Sealer

SHIPPED = Path(__file__).parent / "dictionaries"
SEARCH = {
    "strategy": zstandard.STRATEGY_GREEDY, "hash_log": 17, "chain_log": 6, "search_log": 5, "min_match": 6
}  # fmt: skip
"""7 µs an event, of about 60 that intake takes in all. Twice as fast (STRATEGY_DFAST) leaves 6 % more bytes, and a long
outage is paid in memory; half as fast again (search_log 6) leaves 2 % fewer."""
WINDOW_LOG = 16  # an event is small: the dictionary fits, and a window for megabytes would only take memory
RAW: Final = 0
PLAIN: Final = 31  # zstd without a dictionary
VERSION = 0b1100_0000
CIPHER: Final = 0b0010_0000
SEALED_TEXT: Final = b"\xff"
"""What a sealed text begins with: no text does in UTF-8, so that texts from before there was a key stay readable."""
# The header says what the frame's own header would: no magic number and no dictionary id, eight bytes an entry saved.
FORMAT = zstandard.FORMAT_ZSTD1_MAGICLESS


class Undecodable(ValueError):
    """A record that no dictionary here can read: another version wrote it, or it is damaged."""


class Locked(Undecodable):
    """A sealed record whose key is not listed here: an operator's mistake, and no reason to give it an ending."""

    def __init__(self, key_id: str) -> None:
        super().__init__(f"sealed with key {key_id}, which is not listed")
        self.key_id = key_id


def load_dictionaries(folders: Iterable[Path] = (SHIPPED,)) -> dict[int, bytes]:
    """Number → dictionary, of all ``<number>.dict`` files; a later folder adds to an earlier one."""
    found = {int(file.stem): file.read_bytes() for folder in folders for file in sorted(folder.glob("*.dict"))}
    wrong = [number for number in found if not RAW < number < PLAIN]
    if wrong:
        raise ValueError(f"dictionary numbers must lie between 1 and {PLAIN - 1}: {wrong}")
    return found


class Codec:
    """Encodes and decodes events. Not for use by two threads at once.

    ``lost``: ids of keys that nobody has any more. What they sealed is damaged for good, not locked.
    """

    def __init__(self, dictionaries: Mapping[int, bytes], lost: Collection[str] = ()) -> None:
        shared = {number: zstandard.ZstdCompressionDict(data) for number, data in dictionaries.items()}
        self._decompress = {
            number: zstandard.ZstdDecompressor(dict_data=data, format=FORMAT).decompress
            for number, data in shared.items()
        }
        self._decompress[PLAIN] = zstandard.ZstdDecompressor(format=FORMAT).decompress
        self.current = max(dictionaries, default=PLAIN)
        self._header = bytes((self.current,))
        self._compress = _compressor(shared.get(self.current)).compress
        self._lost = set(lost)

    def encode(self, raw: bytes) -> bytes:
        """Header and frame; stored as it is where compressing does not pay."""
        packed = self._compress(raw)
        return self._header + packed if len(packed) < len(raw) else b"\0" + raw

    def decode(self, kept: bytes) -> bytes:
        """The event; Undecodable when that is impossible here, Locked when another key would do."""
        try:
            header = kept[0]
            return self._decompress[header](kept[1:]) if header else kept[1:]
        except KeyError:
            raise self._why(kept) from None
        except (IndexError, zstandard.ZstdError) as exc:
            raise Undecodable(f"damaged record of {len(kept)} bytes: {exc}") from exc

    def encode_text(self, text: bytes) -> bytes:
        """Somebody else's words, which may quote an event: as they are where nothing is sealed."""
        return text

    def decode_text(self, kept: bytes) -> bytes:
        """The words again; Undecodable or Locked as with ``decode``."""
        return self.decode(kept[1:]) if kept[:1] == SEALED_TEXT else kept

    def give_up(self, key_id: str) -> None:
        """Nobody ever sealed with this key: a record that names it is damaged."""
        self._lost.add(key_id)

    def _why(self, kept: bytes) -> Undecodable:
        header = kept[0]
        if header & VERSION:
            return Undecodable(f"record header {header:#04x}: written by a newer version")
        if not header & CIPHER:
            return Undecodable(f"dictionary {header} is not here")
        key_id = id_in(kept)
        return Undecodable(f"sealed with key {key_id}, which is lost") if key_id in self._lost else Locked(key_id)


class SealingCodec(Codec):
    """Seals what it encodes; reads what was kept before there was a key as well."""

    def __init__(self, dictionaries: Mapping[int, bytes], sealer: Sealer, lost: Collection[str] = ()) -> None:
        super().__init__(dictionaries, lost)
        self._seal, self._open = sealer.seal, sealer.open
        self._sealed_header, self._sealed_raw = bytes((CIPHER | self.current,)), bytes((CIPHER | RAW,))

    def encode(self, raw: bytes) -> bytes:
        """Compressed, then sealed: sealed bytes do not compress."""
        packed = self._compress(raw)
        return self._seal(self._sealed_header, packed) if len(packed) < len(raw) else self._seal(self._sealed_raw, raw)

    def decode(self, kept: bytes) -> bytes:
        """See ``Codec.decode``."""
        header = kept[0] if kept else 0
        if not header & CIPHER or header & VERSION:
            return super().decode(kept)
        try:
            return super().decode(bytes((header ^ CIPHER,)) + self._open(kept))
        except UnknownKey:
            raise self._why(kept) from None
        except Forged as exc:
            raise Undecodable(str(exc)) from exc

    def encode_text(self, text: bytes) -> bytes:
        """Sealed like an event; no text stays none."""
        return SEALED_TEXT + self.encode(text) if text else text


def _compressor(shared: zstandard.ZstdCompressionDict | None) -> zstandard.ZstdCompressor:
    frame = {"format": FORMAT, "write_content_size": True, "write_dict_id": False, "write_checksum": False}
    parameters = zstandard.ZstdCompressionParameters(window_log=WINDOW_LOG, **SEARCH, **frame)
    if shared is None:
        return zstandard.ZstdCompressor(compression_params=parameters)
    shared.precompute_compress(compression_params=parameters)
    return zstandard.ZstdCompressor(dict_data=shared, compression_params=parameters)
