"""Field ``m`` of an entry: what the store must know of it without decoding the event.

``received ms|micro-units|currency|source|accepted subscription|…``; no value is an empty field, and so is the source
that nearly every entry has: seven bytes less of each. ``%`` and ``|`` in names are escaped. The scripts read the first
three.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from relay.core.event import DEFAULT_SOURCE, NO_WORTH, Worth

MICROS_BOUND = 10**15
"""A billion units. The books leave out what lies beyond: sums must stay exact in a double."""
CACHE = 4096


class Memo(NamedTuple):
    """Decoded ``m``, but for the time of receipt."""

    worth: Worth
    source: str
    accepted: tuple[str, ...]


def escape(name: str) -> str:
    """A name that may stand between bars."""
    return name.replace("%", "%25").replace("|", "%7C") if "%" in name or "|" in name else name


def unescape(text: str) -> str:
    """The name again."""
    return text.replace("%7C", "|").replace("%25", "%") if "%" in text else text


def join(names: Iterable[str]) -> str:
    """Several names, escaped."""
    return "|".join(escape(name) for name in names)


def write(received_ms: int, worth: Worth, source: str, accepted: Iterable[str] = ()) -> bytes:
    """``m`` of a new entry."""
    rest = join((_shortened(source), *accepted))
    return f"{received_ms}|{_money(worth)}|{rest}".encode("utf-8", "surrogatepass")


def _shortened(source: str) -> str:
    return "" if source == DEFAULT_SOURCE else source


def _money(worth: Worth) -> str:
    micros, currency = worth
    if micros and -MICROS_BOUND < micros < MICROS_BOUND:
        return f"{micros}|{currency if _is_code(currency) else ''}"
    return "|"


def _is_code(currency: str) -> bool:
    return len(currency) == 3 and currency.isascii() and currency.isalpha() and currency.isupper()


class MemoWriter:
    """Writes ``m`` of new entries; sources are few, so what they are written as is remembered."""

    def __init__(self) -> None:
        self._sources: dict[str, bytes] = {}

    def write(self, received_ms: int, worth: Worth, source: str) -> bytes:
        """See ``write``."""
        written = self._sources.get(source)
        if written is None:
            if len(self._sources) >= CACHE:
                self._sources.clear()
            written = self._sources[source] = escape(_shortened(source)).encode("utf-8", "surrogatepass")
        if worth is NO_WORTH:
            return b"%d|||%b" % (received_ms, written)
        return b"%d|%b|%b" % (received_ms, _money(worth).encode(), written)


class MemoReader:
    """Reads ``m``; everything behind the time of receipt repeats from entry to entry and is remembered."""

    def __init__(self) -> None:
        self._known: dict[bytes, Memo] = {}

    def read(self, text: bytes) -> tuple[int, Memo]:
        """Time of receipt in ms, and the rest. A damaged one reads as worthless and without source."""
        _, _, rest = text.partition(b"|")
        memo = self._known.get(rest)
        if memo is None:
            if len(self._known) >= CACHE:
                self._known.clear()
            memo = self._known[rest] = _parse(rest)
        return received_ms(text), memo


def received_ms(text: bytes) -> int:
    """Time of receipt alone; 0 where it is damaged."""
    received, _, _ = text.partition(b"|")
    return int(received) if received.isdigit() else 0


def _parse(rest: bytes) -> Memo:
    fields = rest.decode("utf-8", "surrogatepass").split("|")
    micros, currency, source = [*fields, "", "", ""][:3]
    worth = Worth(int(micros), currency) if micros.removeprefix("-").isdigit() else NO_WORTH
    return Memo(worth, unescape(source) or DEFAULT_SOURCE, tuple(unescape(name) for name in fields[3:]))
