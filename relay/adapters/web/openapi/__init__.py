"""The OpenAPI description of both ports, served at ``/api/openapi.json``.

Written by hand beside the handlers: what a caller may rely on is a decision, not a by-product of code. Tests hold it
against the routes, and schemathesis holds a running relay against it.
"""

from __future__ import annotations

from relay import __version__
from relay.adapters.web.openapi import admin_paths, inquiries, intake_paths, replays, schemas
from relay.adapters.web.openapi.pieces import content, ref
from relay.core.event import JsonObject

ABOUT = (
    "Keeps Segment events durably while TikTok cannot take them, and sends them on, shaped as Segment would have."
    " Events come in on the intake port; operators use the admin port. `X-Request-Id` of a request comes back on"
    " its answer when it is harmless. What is no proper HTTP is answered 400 or 408 in the shape of `Problem`."
)


def document() -> JsonObject:
    """The whole description, OpenAPI 3.1."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Segment to TikTok fallback relay", "version": __version__, "description": ABOUT},
        "servers": admin_paths.SERVERS,
        "security": [{"admin": []}],
        "paths": {**intake_paths.paths(), **admin_paths.paths()},
        "components": {
            "securitySchemes": _security(),
            "responses": _responses(),
            "schemas": _schemas(),
        },
    }


def _security() -> JsonObject:
    return {
        "admin": {"type": "http", "scheme": "bearer", "description": "RELAY_ADMIN_TOKEN, or DATA_DIR/admin.token."},
        "token": {
            "type": "apiKey",
            "in": "header",
            "name": "X-Relay-Token",
            "description": "Also taken from Authorization, where a sender has a field for that alone.",
        },
        "signature": {
            "type": "apiKey",
            "in": "header",
            "name": "X-Signature",
            "description": "HMAC-SHA1 of the body with the shared secret, hexadecimal, as Segment signs.",
        },
        "writeKey": {"type": "http", "scheme": "basic", "description": "The write key is the user name."},
        "writeKeyHeader": {"type": "apiKey", "in": "header", "name": "X-Write-Key", "description": "As Jitsu's SDKs."},
    }


def _responses() -> JsonObject:
    problem = content(ref("Problem"))
    named = {"X-Request-Id": _header("The sender's, if it is harmless, else a new one: to find it in the log.")}
    later = {**named, "Retry-After": _header("Seconds.", pattern=r"^[0-9]+$")}
    return {
        "Refused": {"description": "Sending it again will not help.", "content": problem, "headers": named},
        "Declined": {"description": "Not done; `code` says why.", "content": problem, "headers": named},
        "Later": {"description": "Nothing was taken: send it again later.", "content": problem, "headers": later},
        "NoStore": {"description": "The store cannot do that now.", "content": problem, "headers": later},
    }


def _header(about: str, **more: str) -> JsonObject:
    return {"description": about, "required": True, "schema": {"type": "string", **more}}


def _schemas() -> JsonObject:
    return {
        "Event": schemas.EVENT,
        "Success": schemas.SUCCESS,
        "SdkSettings": schemas.SDK_SETTINGS,
        "Problem": schemas.PROBLEM,
        "Ready": schemas.READY,
        "Status": schemas.STATUS,
        "Store": schemas.STORE,
        "Destination": schemas.DESTINATION,
        "LimitBreach": schemas.LIMIT_BREACH,
        "Stream": schemas.STREAM,
        "DeadLetter": schemas.DEAD_LETTER,
        "DeadLetters": schemas.DEAD_LETTERS,
        "Selection": schemas.SELECTION,
        "Moved": schemas.MOVED,
        "Switched": schemas.SWITCHED,
        "Turned": schemas.TURNED,
        "Received": schemas.RECEIVED,
        "Foreseen": schemas.FORESEEN,
        "Previewed": schemas.PREVIEWED,
        "Archive": replays.ARCHIVED,
        "Replay": replays.REPLAY,
        "Replays": replays.REPLAYS,
        "ReplayWish": replays.WISH,
        "ReplayWeighed": replays.WEIGHED,
        "ReplayBegun": replays.BEGUN,
        "ReplayTurned": replays.TURNED,
        "Trace": inquiries.TRACE,
        "Call": inquiries.CALL,
        "OwedEntry": inquiries.OWED,
        "TracedLetter": inquiries.LETTER,
        "TracedArchive": inquiries.ARCHIVED,
        "Person": inquiries.PERSON,
        "Forgotten": inquiries.FORGOTTEN,
        "Lifted": inquiries.LIFTED,
        "Incident": inquiries.INCIDENT,
        "IncidentHead": inquiries.INCIDENT_HEAD,
        "Incidents": inquiries.INCIDENTS,
    }
