"""Parcels for the tests of this folder."""

from __future__ import annotations

from collections.abc import Sequence

from relay.core.delivery.batch import Batch, Packed, Parcel


def item(name: str, *, source: str = "web", test: str = "", size: int = 0) -> Packed:
    return Packed(name, source, test, b'{"id":"%s"%s}' % (name.encode(), b" " * max(0, size - len(name) - 9)))


def parcels(count: int, items: int = 1) -> list[Parcel]:
    return [Parcel(f"{n}-0", tuple(item(f"{n}.{m}") for m in range(items))) for n in range(count)]


def batch(parts: Sequence[Parcel]) -> Batch:
    return Batch("web", "", parts)
