"""The operators' port: status, dead letters, switches, metrics. Not hot; careful instead."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from aiohttp import web
from aiohttp.typedefs import Middleware

from relay.adapters.web.admin_answers import NO_PATH, Declined, answer, check_destination, declined, parsed
from relay.adapters.web.admin_forget import forget_routes
from relay.adapters.web.admin_incidents import IncidentRoutes
from relay.adapters.web.admin_letters import LetterRoutes
from relay.adapters.web.admin_replays import ReplayRoutes, archive_json, job_json
from relay.adapters.web.admin_standby import StandbyRoutes
from relay.adapters.web.admin_status import status_document
from relay.adapters.web.admin_trace import Look, trace_routes
from relay.adapters.web.openapi import document
from relay.core.errors import StoreMisused, StoreUnavailable
from relay.core.event import JsonObject
from relay.engine.eraser import Eraser
from relay.engine.replay import Replayer
from relay.engine.standby import Turn
from relay.engine.survey import Survey
from relay.ports import Clock, DeadLetters, Incidents, Tell

METRICS = "/metrics"
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# Answers are for programs and for pages of this port; no other page may frame one or be told where it was.
PRIVATE = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
}
NOWHERE = SplitResult("", "", "", "", "")
JSON_TYPES = frozenset({"application/json", "application/x-ndjson"})
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Switch = Callable[[str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class AdminOptions:
    """``hosts``: names by which this port may be called, beside addresses and localhost."""

    token: str
    protect_metrics: bool = False
    hosts: frozenset[str] = frozenset()
    max_body: int = 32 * 1024**2


@dataclass(frozen=True, slots=True)
class AdminParts:
    """What the port operates. ``facts`` head the status document; ``switches`` by name: pause, resume, probe.

    ``receive`` takes the body of ``POST /api/events`` through intake, as events of the source that is named, and
    returns events by outcome; it raises Declined or StoreUnavailable. ``foresee`` judges such a body and stores
    nothing. ``preview`` maps ``{"events": […]}`` without sending anything. ``trace`` looks an event up.
    ``archives``: whether what ends is kept for replays.
    """

    survey: Survey
    letters: DeadLetters
    render: Callable[[], bytes]
    destinations: Sequence[str]
    clock: Clock
    tell: Tell
    facts: Callable[[], Mapping[str, object]] = dict
    switches: Mapping[str, Switch] = field(default_factory=dict)
    receive: Callable[[bytes, str | None], Awaitable[Mapping[str, int]]] | None = None
    foresee: Callable[[bytes, str | None], Awaitable[JsonObject]] | None = None
    preview: Callable[[JsonObject], JsonObject] | None = None
    trace: Look | None = None
    incidents: Incidents | None = None
    fail_over: Callable[[str, int], Awaitable[Turn]] | None = None
    fail_back: Callable[[str], Awaitable[Turn]] | None = None
    eraser: Eraser | None = None
    replayer: Replayer | None = None
    archives: bool = False


def build_admin(options: AdminOptions, parts: AdminParts) -> web.Application:
    """The whole application."""
    app = web.Application(middlewares=[answered, guard(options)], client_max_size=options.max_body)
    app.on_response_prepare.append(kept_private)
    app.add_routes(LetterRoutes(parts.letters, parts.destinations, parts.clock, parts.tell).routes())
    app.add_routes([web.get(METRICS, metrics_handler(parts.render)), web.get("/api/status", status_handler(parts))])
    app.add_routes([web.get("/api/openapi.json", description)])
    if parts.fail_over and parts.fail_back:
        app.add_routes(StandbyRoutes(parts.destinations, parts.clock, parts.fail_over, parts.fail_back).routes())
    app.add_routes([web.post("/api/destinations/{name}/{switch}", switch_handler(parts))])
    if parts.eraser:
        app.add_routes(forget_routes(parts.eraser))
    if parts.receive:
        app.add_routes([web.post("/api/events", receive_handler(parts.receive, parts.foresee))])
    if parts.replayer:
        routes = ReplayRoutes(parts.replayer, parts.survey, parts.destinations, parts.clock, archives=parts.archives)
        app.add_routes(routes.routes())
    if parts.trace:
        app.add_routes(trace_routes(parts.trace, parts.destinations))
    if parts.preview:
        app.add_routes([web.post("/api/preview", preview_handler(parts.preview))])
    if parts.incidents:
        app.add_routes(IncidentRoutes(parts.incidents, parts.destinations, parts.clock).routes())
    return app


def build_metrics(render: Callable[[], bytes]) -> web.Application:
    """Nothing but ``/metrics``, for a port of its own."""
    app = web.Application(middlewares=[answered])
    app.add_routes([web.get(METRICS, metrics_handler(render))])
    return app


def metrics_handler(render: Callable[[], bytes]) -> Handler:
    """Prometheus' text."""

    async def metrics(_request: web.Request) -> web.Response:
        return web.Response(body=render(), headers={"Content-Type": METRICS_TYPE})

    return metrics


async def description(_request: web.Request) -> web.Response:
    """What both ports serve, for tools."""
    return answer(document())


def status_handler(parts: AdminParts) -> Handler:
    """A look at the store now: who has just sent something must not read the figures of a second ago."""

    async def status(_request: web.Request) -> web.Response:
        survey = parts.survey
        await survey.look()
        now = parts.clock.now_ms()
        document = status_document(parts.facts(), survey.latest, survey.trouble, parts.destinations, now)
        return answer(document | await replay_part(parts, now))

    return status


async def replay_part(parts: AdminParts, now_ms: int) -> JsonObject:
    """What is archived, and the replay that has not ended."""
    latest, job = parts.survey.latest, None
    if parts.replayer and parts.survey.trouble is None:
        job = await parts.replayer.look()
    return {
        "archive": archive_json(latest.survey.archive) if latest else None,
        "replay": job_json(job, now_ms) if job and not job.ended else None,
    }


def switch_handler(parts: AdminParts) -> Handler:
    """``POST /api/destinations/{name}/{switch}``."""

    async def turn(request: web.Request) -> web.Response:
        name, switch = request.match_info["name"], request.match_info["switch"]
        if switch not in parts.switches:
            raise Declined(404, "not_found", NO_PATH)
        check_destination(name, parts.destinations)
        await parts.switches[switch](name)
        return answer({"success": True, "destination": name, "action": switch})

    return turn


def receive_handler(
    receive: Callable[[bytes, str | None], Awaitable[Mapping[str, int]]],
    foresee: Callable[[bytes, str | None], Awaitable[JsonObject]] | None,
) -> Handler:
    """What ``relay send`` without ``--url`` uses. ``?source=NAME``: whose events; ``?dry_run=true``: only foreseen."""

    async def events(request: web.Request) -> web.Response:
        dry_run = request.query.get("dry_run", "false")
        if dry_run not in {"true", "false"} or (dry_run == "true" and foresee is None):
            raise Declined(400, "bad_query", "dry_run is true or false.")
        body, source = await request.read(), request.query.get("source")
        if dry_run == "true" and foresee is not None:
            return answer({"success": True, "dry_run": True, **await foresee(body, source)})
        return answer({"success": True, **await receive(body, source)})

    return events


def preview_handler(preview: Callable[[JsonObject], JsonObject]) -> Handler:
    """What would be sent for some events."""

    async def show(request: web.Request) -> web.Response:
        return answer(preview(parsed(await request.read())))

    return show


async def kept_private(_request: web.Request, answer: web.StreamResponse) -> None:
    """Headers on every answer; a page that needs scripts or styles of its own says so itself."""
    for name, value in PRIVATE.items():
        answer.headers.setdefault(name, value)


@web.middleware
async def answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every ending as JSON, in one shape."""
    try:
        return await handler(request)
    except Declined as problem:
        headers = {"WWW-Authenticate": "Bearer"} if problem.status == web.HTTPUnauthorized.status_code else None
        return declined(problem, headers)
    except StoreMisused as refusal:  # a damaged key
        return declined(Declined(503, "store_unavailable", f"The store refused: {refusal}"), None)
    except StoreUnavailable as trouble:
        no_store = Declined(503, trouble.trouble.value, f"The store cannot do that now: {trouble}.")
        return declined(no_store, {"Retry-After": str(trouble.retry_after)})
    except web.HTTPException as error:
        allow = error.headers.get("Allow")
        return declined(http_problem(error), {"Allow": allow} if allow else None)


def http_problem(error: web.HTTPException) -> Declined:
    """The library's own answers in our words, which repeat nothing of the request."""
    match error.status:
        case 404:
            return Declined(404, "not_found", NO_PATH)
        case 405:
            return Declined(405, "method_not_allowed", "This path does not take this method.")
        case 413:
            return Declined(413, "too_large", "The body is too large for this port; send it in parts.")
        case status:
            return Declined(status, f"http_{status}", error.reason)


def guard(options: AdminOptions) -> Middleware:
    """Who may pass: the right name of this port, no foreign page, and the token (constant time)."""
    expected = options.token.encode()

    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path == METRICS and not options.protect_metrics:
            return await handler(request)  # open by contract: scrapers call it by whatever name their network gives it
        check_host(request.host, options.hosts)
        check_origin(request.headers.get("Origin"), request.host)
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        given_bytes = given.strip().encode("utf-8", "surrogateescape")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given_bytes, expected):
            raise Declined(401, "unauthorized", "Authorization: Bearer with the admin token is needed.")
        check_type(request)
        return await handler(request)

    return guarded


def check_host(host: str, allowed: frozenset[str]) -> None:
    """Against DNS rebinding: a page can make its own name point here, but then that name is what the browser sends."""
    name = split_url(f"//{host}").hostname or ""
    if name == "localhost" or name in allowed:
        return
    try:
        ipaddress.ip_address(name)
    except ValueError:
        raise Declined(403, "forbidden_host", "This port is not known by that name; see admin.hosts.") from None


def split_url(url: str) -> SplitResult:
    """Parts of what a header says; empty ones where it is nothing like an address, such as ``[``."""
    try:
        return urlsplit(url)
    except ValueError:
        return NOWHERE


def check_type(request: web.Request) -> None:
    """A form of a foreign page can send a body, but not as JSON."""
    if request.body_exists and request.content_type not in JSON_TYPES:
        raise Declined(415, "unsupported_media_type", "Bodies must be JSON: Content-Type: application/json.")


def check_origin(origin: str | None, host: str) -> None:
    """A browser names the page that asks; only pages of this very port may."""
    if origin is not None and split_url(origin).netloc != host:
        raise Declined(403, "forbidden_origin", "Pages of another origin may not use this port.")
