"""Finding the bad item of a refused call with few further calls, and without believing the message blindly.

A refused call stores nothing, so its parts can be sent again with unchanged event ids. The item the message names is
sent alone first; without a name the call is cut into two interleaved halves. When the first part of a refused call is
accepted, the bad item must be in the second, which is then cut without being sent. A single item is always sent alone
before it is given up: its own refusal is what its dead letter shows.

Singles that are refused one after the other, with nothing accepted between, look like a fault of the configuration.
Where that is in the air, what stands before a named item is sent first: TikTok seems to have nothing against it.
"""

from __future__ import annotations

from dataclasses import dataclass

from relay.core.delivery.batch import Batch, Parcel
from relay.core.tiktok.verdict import Judgement


@dataclass(slots=True)
class Piece:
    """A call to be made. ``sibling`` is the other part of the refused call it came from, ``guilty`` known to be bad."""

    batch: Batch
    sibling: Piece | None = None
    guilty: bool = False
    tries: int = 0

    @property
    def single(self) -> bool:
        """Whether nothing is left to cut."""
        return len(self.batch.parcels) == 1 and len(self.batch.parcels[0].items) == 1

    def keep(self, parcels: list[Parcel]) -> None:
        """Only these parcels are sent of it. Without the others its acceptance says nothing about its sibling."""
        if len(parcels) < len(self.batch.parcels):
            self.batch, self.sibling = self.batch._replace(parcels=parcels), None


class Search:
    """Calls still to be made for one lease, depth first. Every step ends items or makes pieces smaller."""

    def __init__(self, batches: list[Batch]) -> None:
        self._stack = [Piece(batch) for batch in reversed(batches)]

    def next(self) -> Piece | None:
        """Take the next call to make."""
        while self._stack:
            piece = self._stack.pop()
            if not piece.guilty or piece.single:
                return piece
            self._push(piece, None)
        return None

    def accepted(self, piece: Piece) -> None:
        """TikTok took it: if its parent was refused, the reason is in the other part."""
        if piece.sibling is not None:
            piece.sibling.guilty = True

    def refused(self, piece: Piece, judgement: Judgement, *, doubted: bool = False) -> Parcel | None:
        """Cut the piece; the culprit when there is nothing left to cut. With patience the same is sent again first.

        ``doubted``: a proof that anything is accepted at all is worth a call.
        """
        piece.tries += 1
        if piece.tries < judgement.patience:
            self._stack.append(piece)
            return None
        if piece.single:
            return piece.batch.parcels[0]
        self._push(piece, judgement.bad_item, blame=not judgement.too_big)
        if doubted:
            self._prove_first(piece.batch, judgement.bad_item)
        return None

    def _prove_first(self, batch: Batch, bad_item: int | None) -> None:
        """The named item and the others are on top: of the others, those that came before it go first."""
        before = _parcel_with(_loose(batch), bad_item)
        if before:
            named, others = self._stack.pop(), self._stack.pop().batch
            parts = (others.parcels[before:], others.parcels[:before])
            rest, proof = (Piece(others._replace(parcels=part)) for part in parts)
            self._stack += (rest, named, proof) if rest.batch.parcels else (named, proof)

    def _push(self, piece: Piece, bad_item: int | None, *, blame: bool = True) -> None:
        first, second = (Piece(piece.batch._replace(parcels=part)) for part in cut_in_two(piece.batch, bad_item))
        first.sibling = second if blame else None
        self._stack += (second, first)


def cut_in_two(batch: Batch, bad_item: int | None) -> tuple[list[Parcel], list[Parcel]]:
    """The named parcel and the others; without a name every other one, so that bad neighbours are parted."""
    parcels = _loose(batch)
    named = _parcel_with(parcels, bad_item)
    if named is not None:
        return [parcels[named]], parcels[:named] + parcels[named + 1 :]
    return parcels[0::2], parcels[1::2]


def _loose(batch: Batch) -> list[Parcel]:
    """What is cut between: entries, or the items of a single one."""
    if len(batch.parcels) > 1:
        return list(batch.parcels)
    [(entry_id, items)] = batch.parcels
    return [Parcel(entry_id, (item,)) for item in items]


def _parcel_with(parcels: list[Parcel], item: int | None) -> int | None:
    """The position of the parcel that holds the call's item number ``item``."""
    if item is not None:
        for position, parcel in enumerate(parcels):
            item -= len(parcel.items)
            if item < 0:
                return position
    return None
