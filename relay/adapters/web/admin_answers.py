"""What the admin port answers when it does not do what was asked: what there is, and nothing of the request."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from aiohttp import web
from pydantic import ValidationError

from relay.adapters.web.intake_answers import JSON_HEADERS, Refusal
from relay.core.event import JsonObject

NO_PATH = "There is no such path."


class Declined(Exception):
    """Ends a request with a status, a stable code and one sentence."""

    def __init__(self, status: int, code: str, message: str, **more: Any) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.more = status, code, message, more


def answer(document: object, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """A JSON answer. Infinite numbers become null: JSON has none."""
    return web.Response(
        body=orjson.dumps(document), status=status, headers=headers, content_type="application/json", charset="utf-8"
    )


def declined(problem: Declined, headers: dict[str, str] | None = None) -> web.Response:
    """The same shape as errors of the intake port."""
    fields = JSON_HEADERS.copy()
    fields.update(headers or {})
    return Refusal(problem.code, problem.message, problem.status, fields, **problem.more)


def parsed(body: bytes) -> JsonObject:
    """The JSON object of a request, {} for an empty body."""
    if not body.strip():
        return {}
    try:
        found = orjson.loads(body)
    except ValueError as error:
        raise Declined(400, "bad_json", f"The body is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise Declined(400, "bad_shape", "The body must be a JSON object.")
    return found


def check_destination(name: str, known: Sequence[str]) -> None:
    """404 with the names there are for one that is not among them."""
    if name not in known:
        there = ", ".join(known) or "none"
        raise Declined(404, "unknown_destination", f"There is no destination of that name; there are: {there}.")


def misshapen(error: ValidationError, known: Iterable[str]) -> Declined:
    """The first thing wrong with a body; of a member that is unknown not even its name."""
    first = error.errors(include_input=False, include_context=False, include_url=False)[0]
    if first["type"] == "extra_forbidden":
        return Declined(400, "bad_shape", f"The body has a member that is unknown; there are: {', '.join(known)}.")
    where = ".".join(map(str, first["loc"])) or "body"
    return Declined(400, "bad_shape", f"{where}: {first['msg']}")


def iso(at_ms: int | None) -> str | None:
    """Epoch milliseconds as ISO 8601 in UTC; None for 0 or None."""
    if not at_ms:
        return None
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def finite(seconds: float | None) -> float | None:
    """A forecast for JSON: null while there is no end in sight."""
    return None if seconds is None or not math.isfinite(seconds) else round(seconds, 1)
