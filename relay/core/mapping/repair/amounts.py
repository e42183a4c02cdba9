"""Numbers as people write them: "$19.90", "1,234.50", "1.234,50 €", "19,90", "CHF 1'200.-".

Only what can be read in one way is read. One comma before three digits marks thousands ("1,234"), as a dot is
JavaScript's decimal point; but "1.234 €" is money either way and stays refused.
"""

from __future__ import annotations

import re
import unicodedata

from relay.core.javascript.text import trim
from relay.core.mapping.repair.rules import Rule

LONGEST = 64  # characters; nobody writes an amount longer than that
# ISO 4217 codes that shops write beside amounts (TikTok sheet section 2.4, and what it lacks), and local short forms.
_CODES = frozenset(
    "AED ALL AMD AOA ARS AUD AZN BAM BDT BGN BHD BIF BOB BRL BYN CAD CHF CLP CNY COP CRC CZK DKK DOP DZD EGP ETB EUR "
    "GBP GEL GHS GTQ HKD HNL HRK HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KHR KRW KWD KZT LBP LKR LYD MAD MDL MKD "
    "MMK MNT MOP MUR MXN MYR NGN NIO NOK NPR NZD OMR PAB PEN PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SEK SGD SYP THB "
    "TND TRY TTD TWD TZS UAH UGX USD UYU UZS VES VND XAF XOF YER ZAR ZMW".split()
)
_THOUSANDTHS = frozenset("BHD IQD JOD KWD LYD OMR TND".split())  # currencies with three decimals
_SHORT = frozenset("kr kr. Kč zł Ft lei лв руб руб. грн Rs Rs. RM Rp R лв. din. KM TL".split())
_AMOUNT = re.compile(
    r"""(?P<before>[^\d,\-−\s]{0,4})\ ?
        (?P<sign>[\-−]?)(?P<inner>[^\d,\-−\s]{0,4})\ ?
        (?P<number>\d[\d.,'’\ ]*|[.,]\d+)
        (?P<dash>(?<=[.,])[\-–—]{1,2})?
        \ ?(?P<after>[^\d,\-−\s]{0,4})""",
    re.VERBOSE | re.ASCII,
)
_GROUPED = re.compile(r"\d{1,3}(?:[^\d]\d{3})+", re.ASCII)
_INDIAN = re.compile(r"\d{1,2}(?:,\d{2})+,\d{3}", re.ASCII)


def amount(text: str) -> tuple[str, tuple[Rule, ...]] | None:
    """A plain decimal number for ``text``, and the rules that made it; None for what is no number, or two."""
    found = _AMOUNT.fullmatch(_plain_blanks(text)) if len(text) <= LONGEST else None
    if found is None:
        return None
    before, number = _parted(found["inner"] or found["before"], found["number"].strip())
    tokens = [token for token in (before, found["before"] if found["inner"] else "", found["after"]) if token]
    if len(tokens) > 1 or not all(map(_is_currency, tokens)):
        return None
    fine = any(token.upper() in _THOUSANDTHS for token in tokens)
    read = _whole(number.rstrip(".,")) if found["dash"] else _read(number, money=bool(tokens), fine=fine)
    if read is None:
        return None
    number, rules = read
    if tokens or found["dash"] or not rules:
        rules = (Rule.MONEY, *rules)  # without another rule it was the minus sign of a typesetter
    return ("-" if found["sign"] else "") + number, rules


def _parted(token: str, number: str) -> tuple[str, str]:
    """A dot between them belongs to the number ("$.99"), unless it ends a short form ("Rs.500")."""
    return (token[:-1], f".{number}") if token.endswith(".") and token not in _SHORT else (token, number)


def _plain_blanks(text: str) -> str:
    """Trimmed; every blank inside (no-break, narrow, thin, …) is a plain one."""
    return "".join(" " if unicodedata.category(char) == "Zs" else char for char in trim(text))


def _is_currency(token: str) -> bool:
    """A currency sign, alone or behind a country ("US$"), a code, or a local short form."""
    sign = token.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    if len(sign) == 1 and unicodedata.category(sign) == "Sc":
        return True
    return token in _SHORT or (token.upper() in _CODES and token in {token.upper(), token.lower()})


def _whole(written: str) -> tuple[str, tuple[Rule, ...]] | None:
    """A number whose decimals are a dash: every mark in it is one between thousands."""
    digits = _ungrouped(written)
    if digits is None:
        return None
    return digits, (Rule.THOUSANDS,) if len(digits) < len(written) else ()


def _read(written: str, *, money: bool, fine: bool) -> tuple[str, tuple[Rule, ...]] | None:
    """Digits and separators, without sign and currency. ``fine``: the currency has three decimals."""
    whole, point, fraction = _halves(written, money=money, fine=fine)
    if whole is None or not (fraction.isdigit() or fraction == point == "" or written.endswith(".")):
        return None
    digits = _ungrouped(whole)
    if digits is None:
        return None
    rules = ((Rule.THOUSANDS,) if len(digits) < len(whole) else ()) + ((Rule.DECIMAL_COMMA,) if point == "," else ())
    return digits + (f".{fraction}" if fraction else ""), rules


def _halves(written: str, *, money: bool, fine: bool) -> tuple[str | None, str, str]:
    """What stands before the decimal separator, the separator, and what stands behind it; None when ambiguous."""
    dots, commas = written.count("."), written.count(",")
    if dots and commas:
        point = "." if written.rindex(".") > written.rindex(",") else ","
        if written.count(point) > 1:
            return None, "", ""
    elif dots + commas != 1:
        return written, "", ""
    else:
        point = "." if dots else ","
        before, _, behind = written.partition(point)
        if _may_group(before, behind):
            # Three digits behind one mark: a comma is the English one for thousands. A dot is a decimal point where
            # Segment reads it; beside a currency it may be the continental mark for thousands just as well.
            # And of "12,500 KWD" nobody knows whether it is twelve or twelve thousand.
            ambiguous = (point == "." and money) or (point == "," and fine)
            return (None, "", "") if ambiguous else (written, "", "") if point == "," else (before, point, behind)
    whole, _, fraction = written.rpartition(point)
    return whole, point, fraction


def _may_group(before: str, behind: str) -> bool:
    return len(behind) == 3 and before.isdigit() and len(before) <= 3 and before[0] != "0"


def _ungrouped(whole: str) -> str | None:
    """The digits of a whole number whose thousands may be marked, always by the same mark."""
    if not whole:
        return "0"
    if whole.isdigit():
        return whole
    marks = {char for char in whole if not char.isdigit()}
    regular = len(marks) == 1 and whole[0] != "0" and (_GROUPED.fullmatch(whole) or _INDIAN.fullmatch(whole))
    return whole.replace(marks.pop(), "") if regular else None
