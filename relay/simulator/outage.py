"""Whether TikTok is ill right now, and what that looks like from outside."""

from __future__ import annotations

from dataclasses import dataclass

from relay.simulator.control import NO_OUTAGE, Outage

NGINX = """<html>
<head><title>{0}</title></head>
<body>
<center><h1>{0}</h1></center>
<hr><center>nginx</center>
</body>
</html>
"""
# Seen in the wild or plausible (TikTok sheet sections 5.2 and 10): status, content type, body.
PAGES = {
    "502": (502, "text/html", NGINX.format("502 Bad Gateway")),
    "503": (503, "text/plain", "Service Unavailable"),
    "504": (504, "text/plain", "upstream request timeout"),
    "non_json": (200, "text/html", "<html><body>We will be back soon.</body></html>"),
}
STORED_FIRST = ("lost", "lost_hang")


@dataclass(frozen=True, slots=True)
class Page:
    """An answer that is not TikTok's JSON."""

    status: int
    content_type: str
    text: str


@dataclass(frozen=True, slots=True)
class Silence:
    """No answer: the connection is reset, or nothing ever comes."""

    hang: bool


@dataclass(frozen=True, slots=True)
class Sick:
    """TikTok's own JSON error."""

    code: int


Symptom = Page | Silence | Sick
TOO_LARGE = Page(413, "text/html", NGINX.format("413 Request Entity Too Large"))


def is_on(outage: Outage, since_set: float, dice: float) -> bool:
    """Whether a call is hit, ``since_set`` seconds after the switch was set; ``dice`` from [0, 1)."""
    if outage.kind == NO_OUTAGE or dice >= outage.share:
        return False
    return since_set >= outage.after_s and (not outage.for_s or since_set < outage.after_s + outage.for_s)


def symptom(kind: str) -> Symptom:
    """What the caller sees. For ``STORED_FIRST`` this replaces the answer, and the call is processed before."""
    if kind in PAGES:
        return Page(*PAGES[kind])
    if kind in {"hang", "reset", *STORED_FIRST}:
        return Silence(hang=kind.endswith("hang"))
    return Sick(int(kind))
