"""Field ``m`` of an entry: what the store must know of it without decoding the event.

``received ms|micro-units|currency|source|accepted subscription|…``; no value is an empty field. ``%`` and ``|`` in
names are escaped. The scripts read the first three.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from relay.core.event import NO_WORTH, Worth

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
    money = "|"
    if worth.micros and -MICROS_BOUND < worth.micros < MICROS_BOUND:
        money = f"{worth.micros}|{worth.currency if _is_code(worth.currency) else ''}"
    rest = join((source, *accepted))
    return f"{received_ms}|{money}|{rest}".encode("utf-8", "surrogatepass")


def _is_code(currency: str) -> bool:
    return len(currency) == 3 and currency.isascii() and currency.isalpha() and currency.isupper()


class MemoWriter:
    """Writes ``m`` of new entries; most are worth nothing, and then all but the time of receipt is the same."""

    def __init__(self) -> None:
        self._tails: dict[str, bytes] = {}

    def write(self, received_ms: int, worth: Worth, source: str) -> bytes:
        """See ``write``."""
        if worth is not NO_WORTH:
            return write(received_ms, worth, source)
        tail = self._tails.get(source)
        if tail is None:
            if len(self._tails) >= CACHE:
                self._tails.clear()
            tail = self._tails[source] = write(0, NO_WORTH, source)[1:]
        return b"%d%b" % (received_ms, tail)


class MemoReader:
    """Reads ``m``; everything behind the time of receipt repeats from entry to entry and is remembered."""

    def __init__(self) -> None:
        self._known: dict[bytes, Memo] = {}

    def read(self, text: bytes) -> tuple[int, Memo]:
        """Time of receipt in ms, and the rest. A damaged one reads as worthless and without source."""
        received, _, rest = text.partition(b"|")
        memo = self._known.get(rest)
        if memo is None:
            if len(self._known) >= CACHE:
                self._known.clear()
            memo = self._known[rest] = _parse(rest)
        return int(received) if received.isdigit() else 0, memo


def _parse(rest: bytes) -> Memo:
    fields = rest.decode("utf-8", "surrogatepass").split("|")
    micros, currency, source = [*fields, "", "", ""][:3]
    worth = Worth(int(micros), currency) if micros.removeprefix("-").isdigit() else NO_WORTH
    return Memo(worth, unescape(source), tuple(unescape(name) for name in fields[3:]))
