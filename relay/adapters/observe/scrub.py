"""What other people's words may not carry into a log: personal data and control characters."""

from __future__ import annotations

import re

LONGEST = 400  # characters of a value; a message that needs more is a body
# TikTok and a mapping may quote the value they dislike. Order matters: the wider pattern first.
PERSONAL = (
    (re.compile(r"[^\s@'\"<>]+@[^\s@'\"<>]+"), "[email]"),
    (re.compile(r"(https?://[^\s?#'\"]+)[?#][^\s'\"]*"), r"\1?[query]"),
    (re.compile(r"\b[0-9A-Fa-f]{32,64}\b"), "[hash]"),
    (re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}\b"), "[ip]"),
    (re.compile(r"(?<![\w.])(?=[0-9A-Fa-f:]*[0-9A-Fa-f])(?:[0-9A-Fa-f]{0,4}:){3,7}[0-9A-Fa-f]{0,4}(?![\w.])"), "[ip]"),
    (re.compile(r"\+?\d(?:[\d ()./-]{5,}\d)"), "[number]"),
)
# A quoted thing stays when it is a field name (data[2].user, event_time), not when it may be what a person wrote.
QUOTED = re.compile(r"""(["'`])((?!\1).*?)\1""")
FIELD = re.compile(r"[a-z_$@][a-z0-9_]*(?:\[\d+\]|[.][a-z0-9_]+)*$|\[[a-z ]+\]$")
# C0, DEL, C1, line and paragraph separators, direction overrides: what could forge a line or rewrite a terminal.
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def scrubbed(message: str) -> str:
    """A message by somebody else without what looks like personal data."""
    text = message[: 4 * LONGEST]  # patterns never meet a megabyte
    for pattern, instead in PERSONAL:
        text = pattern.sub(instead, text)
    return QUOTED.sub(lambda found: found[0] if FIELD.match(found[2]) else f"{found[1]}[value]{found[1]}", text)


def harmless(value: str) -> str:
    """A value on one line, whatever it contains: control characters are spelled out, the rest is cut short."""
    start = value[: LONGEST + 1]  # what is cut off need not be spelled out
    text = CONTROL.sub(lambda found: found[0].encode("unicode_escape", "surrogatepass").decode("ascii"), start)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(value)} characters)"
