"""Parcels for the tests of this folder."""

from __future__ import annotations

from collections.abc import Sequence

from relay.core.delivery.batch import Batch, Parcel
from tests.twins.tiktok import PlainItem


def item(name: str, *, source: str = "web", test: str = "", size: int = 0, error: str | None = None) -> PlainItem:
    body = b'{"id":"%s"%s}' % (name.encode(), b" " * max(0, size - len(name) - 9))
    return PlainItem(name, source, test, error, b"" if error else body, 1_770_000_000)


def parcels(count: int, items: int = 1) -> list[Parcel]:
    return [Parcel(f"{n}-0", tuple(item(f"{n}.{m}") for m in range(items))) for n in range(count)]


def batch(parts: Sequence[Parcel]) -> Batch:
    return Batch("web", "", parts)
