"""What the intake port serves (Segment sheet sections 1 and 2)."""

from __future__ import annotations

from collections.abc import Iterator

from relay.adapters.web.intake_tracking import FULL_NAMES, JITSU
from relay.adapters.web.openapi.pieces import JSON, in_path, listing, operation, record, ref, said
from relay.core.event import JsonObject
from relay.core.segment.decode import TYPE_BY_PATH

SERVERS = [{"url": "http://127.0.0.1:8080", "description": "Intake port: RELAY_HOST, RELAY_PORT."}]
WEBHOOK_METHODS = ("post", "put", "patch")
_WEBHOOK: tuple[JsonObject, ...] = ({"token": []}, {"signature": []})
_SDK: tuple[JsonObject, ...] = ({"writeKey": []}, {"writeKeyHeader": []})
_SOURCE = in_path("source", "Name of a source of the configuration.")
_MOST = 10_000
_WRAPPED = record({"json": ref("Event")}, about="As Segment's Extensible Webhook batches.")
_ARRAY = listing({"anyOf": [ref("Event"), _WRAPPED]}, "A batch, taken as a whole.", minItems=1, maxItems=_MOST)
_ENVELOPE = record({"batch": listing(ref("Event"), minItems=1, maxItems=_MOST)}, about="Tracking API batch.")
_ANYTHING: JsonObject = {"anyOf": [ref("Event"), _ARRAY, _ENVELOPE]}
_TYPED: JsonObject = {"type": "object", "description": "The call; its type is that of the path."}


def paths() -> JsonObject:
    """By path; each is told to be on this port."""
    found = dict(_webhooks())
    found |= {f"/v1/{name}": _tracking(f"v1_{name}", kind) for name, kind in TYPE_BY_PATH.items()}
    found |= {f"{prefix}{{call}}": _jitsu(prefix) for prefix in JITSU}
    found["/v1/projects/{writeKey}/settings"] = _sdk_settings()
    found["/v1/m"] = _path(post=_telemetry(), options=_preflight("telemetry"))
    found["/healthz"] = _path(get=_health())
    found["/readyz"] = _path(get=_readiness())
    return {path: {"servers": SERVERS, **methods} for path, methods in found.items()}


def _path(**methods: JsonObject) -> JsonObject:
    return methods


def _webhooks() -> Iterator[tuple[str, JsonObject]]:
    """Methods as the webhook's mapping chooses."""
    for path, parameters in (("/webhook/segment", []), ("/webhook/segment/{source}", [_SOURCE])):
        name = "source" if parameters else "webhook"
        methods = {
            method: operation(
                f"{name}_{method}",
                "Events from a Segment webhook destination",
                {**_heard(), "404": ref("Refused", "responses")},
                about="200 is a receipt: durable for every destination that wants it. A signature or token that does"
                " not fit is answered 503 for some hours, because Segment never repeats what was refused.",
                body=_ANYTHING,
                security=_WEBHOOK,
            )
            for method in WEBHOOK_METHODS
        }
        yield path, {"parameters": parameters, **methods, "options": _preflight(name)}


def _tracking(name: str, kind: str | None) -> JsonObject:
    said_by_path = f"`{kind}` calls" if kind else "Calls of any type"
    heard = operation(
        name,
        f"{said_by_path} from SDKs",
        _heard(),
        body=_ANYTHING if kind is None else _TYPED,
        media=(JSON, "text/plain"),  # browsers and the Kotlin SDK
        security=_SDK,
    )
    return _path(post=heard, options=_preflight(name))


def _jitsu(prefix: str) -> JsonObject:
    name = prefix.strip("/").replace("/", "_")
    call = in_path("call", "Kind of the call.", enum=[*FULL_NAMES])
    answers = {**_heard(), "404": ref("Refused", "responses")}
    heard = operation(name, "Calls from Jitsu's SDKs", answers, body=_ANYTHING, security=_SDK)
    asked = _preflight(name)
    asked["responses"]["404"] = ref("Refused", "responses")
    return {"parameters": [call], "post": heard, "options": asked}


def _heard() -> JsonObject:
    return {
        "200": said("Durable.", ref("Success")),
        **{status: ref("Refused", "responses") for status in ("400", "401", "408", "413")},
        **{status: ref("Later", "responses") for status in ("429", "503")},
    }


def _preflight(name: str) -> JsonObject:
    return operation(f"{name}_preflight", "What a browser asks first", {"200": {"description": "CORS"}}, security=())


def _telemetry() -> JsonObject:
    answers = {
        "200": said("Dropped.", ref("Success")),
        **{code: ref("Refused", "responses") for code in ("400", "413")},
    }
    return operation("v1_m", "The SDKs' telemetry about themselves: taken and dropped", answers, body={}, security=())


def _sdk_settings() -> JsonObject:
    answers = {"200": said("Where to send events.", ref("SdkSettings")), "404": ref("Refused", "responses")}
    key = in_path("writeKey", "Write key of a source.")
    asked = operation("sdk_settings", "What SDKs ask Segment's CDN for when they start", answers, security=())
    return {"parameters": [key], "get": asked, "options": _preflight("sdk_settings")}


def _health() -> JsonObject:
    up = record({"status": {"const": "up"}})
    return operation("healthz", "The process is up", {"200": said("Up.", up)}, security=())


def _readiness() -> JsonObject:
    answers = {"200": said("Events are accepted.", ref("Ready")), "503": said("They are not.", ref("Ready"))}
    return operation("readyz", "Whether events are accepted, and if not, why", answers, security=())
