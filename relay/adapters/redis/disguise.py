"""Events as a dictionary may learn them: what is somebody's has other letters and digits, and the same shape.

A dictionary is no event: no key seals it, no erasure reaches it, and it goes wherever the relay goes. So made-up values
take the place of personal ones before it is trained: under the keys below, in all of ``traits``, wherever text looks
like an address, and wherever a value found so stands once more in the same event. Nothing leads back: the dice do not
look.
"""

from __future__ import annotations

import random
import re
import string
from typing import Any

JsonObject = dict[str, Any]

ENDINGS = (
    "email phone mobile firstname lastname middlename fullname nickname surname givenname familyname "
    "displayname username birthday birthdate dateofbirth dob gender age street city region zip zipcode "
    "postalcode postcode latitude longitude ip requestip userid anonymousid previousid messageid externalid "
    "groupid customerid sessionid orderid transactionid checkoutid cartid advertisingid idfa idfv gaid "
    "deviceid token writekey ttclid ttp fbclid fbp fbc gclid lat lng"
).split()
PERSONAL = re.compile(rf"(?:.*(?:email|phone|address|ttclid).*|(?:hashed|sha256)?(?:{'|'.join(ENDINGS)})s?)\Z")
WHOLE = frozenset({"traits", "user", "customer", "visitor", "person", "recipient", "billing", "shipping", "location"})
"""Keys whose objects are about somebody altogether."""
DEVICES = frozenset({"device"})  # under it ``id`` is somebody's
KEPT = frozenset({"useragent", "version"})  # numbers with three points that are no addresses
TIME = re.compile(r"\d{4}-\d\d-\d\d(?:[T ][\d:.]+(?:Z|[+-]\d\d:?\d\d)?)?\Z")
LIKENESS = re.compile(
    r"[^\s@'\"<>=&?/]+(?:@|%40)[^\s@'\"<>&?/]+"  # e-mail
    r"|(?<=[?&])(?P<name>(?!utm_)[\w.%-]+=)[^&#\s]+"  # parameters of an address, but for the campaign's
    r"|\b[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\b|\b[0-9A-Fa-f]{32,}\b"  # ids and hashes
    r"|\b(?:\d{1,3}\.){3}\d{1,3}\b|(?:[0-9A-Fa-f]{0,4}:){3,7}[0-9A-Fa-f]{0,4}"  # IP
    r"|\+?\d(?:[\d ()./-]{5,}\d)"  # phone
)
SHORTEST = 4
"""Characters of a value that is looked for in the rest of its event; shorter ones stand in half the words."""
HEXADECIMAL = re.compile(r"[0-9a-fA-F-]{16,}\Z")


class Disguise:
    """Makes values up; the same ``seed`` and events give the same."""

    def __init__(self, seed: int = 0) -> None:
        self._dice = random.Random(seed)  # noqa: S311 - nothing is kept secret by these numbers

    def event(self, event: Any) -> Any:
        """A copy without what is somebody's."""
        found: dict[str, str] = {}
        once = self._walk(event, "", found, theirs=False)
        longest = sorted((value for value in found if len(value) >= SHORTEST), key=len, reverse=True)
        again = re.compile("|".join(map(re.escape, longest)), re.IGNORECASE) if longest else None
        return self._again(once, again) if again else once

    def _walk(self, value: Any, key: str, found: dict[str, str], *, theirs: bool) -> Any:
        if isinstance(value, dict):
            return {
                self._text(name, found): self._walk(
                    one, name, found, theirs=theirs or _is_personal(name) or _names_whom(key, name)
                )
                for name, one in value.items()
            }
        if isinstance(value, list):
            return [self._walk(one, key, found, theirs=theirs) for one in value]
        if theirs and isinstance(value, str):
            return found.setdefault(value, self._like(value))
        if theirs and isinstance(value, int | float) and not isinstance(value, bool):
            return self._number(value)
        return self._text(value, found) if isinstance(value, str) and _plain(key) not in KEPT else value

    def _text(self, text: str, found: dict[str, str]) -> str:
        """Text that need not be anybody's: only what looks like it is exchanged."""
        if TIME.match(text):
            return text

        def instead(met: re.Match[str]) -> str:
            name = met["name"] or ""
            value = met[0].removeprefix(name)
            return name + found.setdefault(value, self._like(value))

        return LIKENESS.sub(instead, text)

    def _again(self, value: Any, known: re.Pattern[str]) -> Any:
        if isinstance(value, dict):
            return {name: self._again(one, known) for name, one in value.items()}
        if isinstance(value, list):
            return [self._again(one, known) for one in value]
        return known.sub(lambda met: self._like(met[0]), value) if isinstance(value, str) else value

    def _number(self, value: float) -> float:
        return type(value)(value * self._dice.uniform(0.5, 2.0)) if abs(value) < 10**15 else 0

    def _like(self, value: str) -> str:
        """As long, with capitals, digits and signs where they were."""
        lower = "abcdef" if HEXADECIMAL.match(value) else string.ascii_lowercase
        return "".join(self._sign(sign, lower) for sign in value)

    def _sign(self, sign: str, lower: str) -> str:
        if sign.isdigit():
            return self._dice.choice(string.digits)
        if sign.isalpha():
            made = self._dice.choice(lower)
            return made.upper() if sign.isupper() else made
        return sign


def _plain(key: str) -> str:
    return key.replace("_", "").replace("-", "").replace(" ", "").lower()


def _is_personal(key: str) -> bool:
    plain = _plain(key)
    return plain in WHOLE or PERSONAL.match(plain) is not None


def _names_whom(holder: str, key: str) -> bool:
    return _plain(holder) in DEVICES and _plain(key) == "id"
