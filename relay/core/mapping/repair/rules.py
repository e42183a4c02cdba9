"""The rules by name. Counted by name, told in words to whoever previews an event."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, NamedTuple

Stage = Literal["trigger", "mapping", "hopeless", "build", "audience"]


class Rule(StrEnum):
    """Label of ``relay_items_repaired_total``."""

    MONEY = "money"
    THOUSANDS = "thousands"
    DECIMAL_COMMA = "decimal_comma"
    INFINITE = "infinite"
    PRODUCTS = "products"
    EPOCH_TIME = "epoch_time"
    BLANKS = "blanks"
    LETTER_CASE = "letter_case"
    NOT_TEXT = "not_text"
    AUDIENCE = "audience"


WORDS = {
    Rule.MONEY: "the currency sign beside the number is left out",
    Rule.THOUSANDS: "the marks between thousands are left out",
    Rule.DECIMAL_COMMA: "the comma is read as the decimal point",
    Rule.INFINITE: "an infinite number is left out",
    Rule.PRODUCTS: "a list that was written as text or as a numbered object is read as a list",
    Rule.EPOCH_TIME: "the number is read as seconds (or milliseconds …) since 1970",
    Rule.BLANKS: "blanks around the time are left out",
    Rule.LETTER_CASE: "the word is taken whatever its capitals",
    Rule.NOT_TEXT: "an object or list where a text belongs is left out, or stands for the one text in it",
    Rule.AUDIENCE: "an empty context stops Segment, but not TikTok",
}


class Repair(NamedTuple):
    """One change. ``field`` is the title that Segment's messages use, or '' for the event as a whole."""

    rule: Rule
    field: str

    def __str__(self) -> str:
        """For people; says nothing of the value."""
        return f"{self.field}: {WORDS[self.rule]}" if self.field else WORDS[self.rule]
