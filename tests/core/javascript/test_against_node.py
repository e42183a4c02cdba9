"""Dates, numbers and URLs against the engine itself, on texts made of the pieces that matter."""

from __future__ import annotations

import json
import math
import os
import random
import struct
import subprocess
from typing import Any

import pytest

from relay.core.javascript.dates import epoch_milliseconds
from relay.core.javascript.numbers import number_of, text_of
from relay.core.javascript.urls import query_value

COUNT = 4000
# Pieces stand between bars, so that white space can be one of them.
DATE_PIECES = (
    "2024|1|01|15|-|/|:|.|T|t|Z|z|+|GMT|utc|EST|pdt|am|PM|Jan|february|MARCH|foo|(x)|(|))|,|12|30|59|60|999|0000|000000"
    "|+002024|-000001|-000000|1e3|é|\u3000|\0|123456789012|001|24|31|32|13|+0530|-08:00|+5|pm|may-|_|A| "
)
NUMBER_PIECES = "0x|1|e|E|+|-|.|0|9007199254740993|Infinity|\ufeff|_|0b1|0o7|f|123|\u001c|n|٣| "
URL_PIECES = (
    "http|https|ftp|file|myapp|HTTP|:|//|/|\\|x.example|EXAMPLE.com|1.2.3.4|0x7f|256|1|..|.|@|u:p|[::1]|[|]|%20|%zz|%ff|?"
    "|#|&|=|ttclid|ttclid=|a=1|\t|\n|+|:80|:99999|é|_|-|<|^|%74tclid=5|ü=|😀|\x01|%2|a..b|[1::|[::g]|:0080|%41.com| "
)
SCRIPT = """
const cases = JSON.parse(require("fs").readFileSync(0, "utf8"));
const found = (url) => { try { return new URL(url).searchParams.get("ttclid"); } catch { return null; } };
console.log(JSON.stringify({
  dates: cases.dates.map((text) => new Date(text).getTime()),
  numbers: cases.numbers.map((text) => String(Number(text))),
  floats: cases.floats.map(String),
  urls: cases.urls.map(found),
}));
"""


def glued(dice: random.Random, pieces: str, most: int) -> str:
    return "".join(dice.choices(pieces.split("|"), k=dice.randint(1, most)))


def date_text(dice: random.Random) -> str:
    if dice.random() < 0.5:
        return glued(dice, DATE_PIECES, 9)
    day = f"{dice.randint(0, 9999):04}-{dice.randint(0, 13):02}-{dice.randint(0, 32):02}"
    time = f"{dice.choice('Tt ')}{dice.randint(0, 25):02}:{dice.randint(0, 60):02}:{dice.randint(0, 60):02}"
    text = (
        day
        + time
        + dice.choice(["", ".5", ".123", ".1234567890123"])
        + dice.choice(["", "Z", "+05:30", "-0800", "+2", " Z"])
    )
    at = dice.randint(0, len(text))
    return text if dice.random() < 0.6 else text[:at] + glued(dice, DATE_PIECES, 1) + text[at + dice.randint(0, 2) :]


def url_text(dice: random.Random) -> str:
    scheme = dice.choice(["https://", "http:/", "myapp://", "https:\\\\", "ws://", ""])
    return scheme + glued(dice, URL_PIECES, 5) + dice.choice(["/?", "?", ""]) + glued(dice, URL_PIECES, 5)


def some_float(dice: random.Random) -> float:
    if dice.random() < 0.3:
        return dice.choice([1, -1]) * dice.randint(0, 10**9) / 10.0 ** dice.randint(-9, 14)
    found: float = struct.unpack("d", struct.pack("Q", dice.getrandbits(64)))[0]
    return found if math.isfinite(found) else dice.randint(1, 10**6) * 10.0 ** dice.randint(-12, 25)


@pytest.mark.needs("node")
def test_the_engine_agrees() -> None:
    dice = random.Random(20240615)
    cases: dict[str, list[Any]] = {
        "dates": [date_text(dice) for _ in range(COUNT)],
        "numbers": [glued(dice, NUMBER_PIECES, 6) for _ in range(COUNT)],
        "floats": [some_float(dice) for _ in range(COUNT)],
        "urls": [url_text(dice) for _ in range(COUNT)],
    }
    answer = subprocess.run(
        ["node", "-e", SCRIPT],
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={"PATH": os.environ["PATH"], "TZ": "UTC"},
    )
    engine = json.loads(answer.stdout)
    assert different(cases["dates"], map(epoch_milliseconds, cases["dates"]), engine["dates"]) == []
    assert different(cases["numbers"], (text_of(number_of(text)) for text in cases["numbers"]), engine["numbers"]) == []
    assert different(cases["floats"], map(text_of, cases["floats"]), engine["floats"]) == []
    assert different(cases["urls"], (query_value(url, "ttclid") for url in cases["urls"]), engine["urls"]) == []


def different(cases: list[Any], ours: Any, theirs: list[Any]) -> list[tuple[Any, Any, Any]]:
    triples = zip(cases, ours, theirs, strict=True)
    return [(case, our, their) for case, our, their in triples if our != their]
