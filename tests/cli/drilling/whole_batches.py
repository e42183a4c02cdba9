"""A relay that gives up a whole call when TikTok refuses one item of it: the negative control of the poison drill."""

from __future__ import annotations

from relay.cli import main
from relay.core.delivery.batch import Parcel
from relay.core.delivery.split import Piece, Search
from relay.core.tiktok.verdict import Judgement

refused = Search.refused


def careless(self: Search, piece: Piece, judgement: Judgement, *, doubted: bool = False) -> Parcel | None:
    """The first item is as good a culprit as any."""
    if piece.single:
        return refused(self, piece, judgement, doubted=doubted)
    first, *others = piece.batch.parcels
    if others:
        self._stack.append(Piece(piece.batch._replace(parcels=others)))
    return first


if __name__ == "__main__":
    Search.refused = careless  # type: ignore[method-assign]
    main(["serve"])
