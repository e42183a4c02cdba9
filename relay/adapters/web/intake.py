"""The intake port: every path it serves (design section 6).

It never redirects: a redirected POST loses its body.
A handler for aiohttp's low-level server, without its router, middlewares and a task per request: this is the path that
has to keep up with a whole shop, its paths are few and known, and finding one of them is a look-up in a dictionary
(measured: a quarter of what aiohttp spends on an empty request). Requests are told as notices, so the server's access
log should be off.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from aiohttp import web

from relay.adapters.web.intake_answers import ready
from relay.adapters.web.intake_cdn import SETTINGS_PATH
from relay.adapters.web.intake_options import IntakeOptions
from relay.adapters.web.intake_reading import ReadingRoom
from relay.adapters.web.intake_reception import Reception
from relay.adapters.web.intake_tracking import KIND_BY_PATH, Tracking
from relay.adapters.web.intake_webhook import Webhook
from relay.core.event import DEFAULT_SOURCE
from relay.engine.intake import Intake
from relay.ports import Clock, Tell

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
Methods = dict[str, Handler]
Readiness = Callable[[], tuple[bool, str]]
WEBHOOK_METHODS = ("POST", "PUT", "PATCH")
GET = ("GET", "HEAD")
WEBHOOK = "/webhook/segment"
NAMED = WEBHOOK + "/"
UNSERVED = ""  # no path of a request
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def build_intake(
    options: IntakeOptions, intake: Intake, readiness: Readiness, clock: Clock, tell: Tell, room: ReadingRoom
) -> Handler:
    """What answers every request of the intake port. ``readiness``: whether events can be accepted, and if not, why.

    ``room``: where bodies are read.
    """
    reception = Reception(options, room, clock, tell)
    webhook = Webhook(options, intake, reception, clock, tell)
    tracking = Tracking(options, intake, reception, clock, tell)
    methods = partial(_methods, reception, asked=tracking.preflight)
    hears = methods(WEBHOOK_METHODS, webhook.hearing(DEFAULT_SOURCE))
    table = {WEBHOOK: hears, NAMED: hears}
    for name in options.sources:
        table |= _both_forms(NAMED + name, methods(WEBHOOK_METHODS, webhook.hearing(name)))
    for path, kind in KIND_BY_PATH.items():
        table |= _both_forms(path, methods(("POST",), partial(tracking.hear, kind=kind)))
    table |= _both_forms("/v1/m", methods(("POST",), tracking.swallow))
    table |= _both_forms("/healthz", _methods(reception, GET, _healthy))
    table |= _both_forms("/readyz", _methods(reception, GET, partial(_ready, readiness=readiness)))
    table[UNSERVED] = {"*": reception.not_found}

    def named(path: str) -> Methods | None:
        """Paths with a name in them, of which there are any number."""
        if found := SETTINGS_PATH.fullmatch(path):
            return methods(GET, partial(tracking.settings, write_key=found[1]))
        source = path.removeprefix(NAMED).removesuffix("/")
        if not path.startswith(NAMED) or not source or "/" in source:
            return None
        return methods(WEBHOOK_METHODS, webhook.hearing(source))  # of a source that nobody configured

    return _dispatcher(table, named)


def _dispatcher(table: dict[str, Methods], named: Callable[[str], Methods | None]) -> Handler:
    """Finds the handler of a request. Closures here and for the webhook: a ``partial`` costs a detour through C."""

    def dispatch(request: web.BaseRequest) -> Awaitable[web.StreamResponse]:
        if "Expect" in request.headers and request.transport is not None:
            request.transport.write(CONTINUE)  # curl waits a second for it before it sends a body of some size
        path = request.raw_path
        methods = table.get(path)
        if methods is None:
            # With a query, or in the absolute form, which proxies may send.
            path = path.partition("?")[0] if path.startswith("/") else request.path
            methods = table.get(path) or named(path) or table[UNSERVED]
        return (methods.get(request.method) or methods["*"])(request)

    return dispatch


def _methods(
    reception: Reception, methods: tuple[str, ...], handler: Handler, *, asked: Handler | None = None
) -> Methods:
    """One path: its methods, what browsers ``asked`` by OPTIONS, and an answer to every other method."""
    served: Methods = dict.fromkeys(methods, handler)
    if asked is not None:
        served["OPTIONS"] = asked
    return {**served, "*": partial(reception.other_method, allowed=", ".join(served))}


def _both_forms(path: str, methods: Methods) -> dict[str, Methods]:
    """With and without a slash at the end: the Java SDK posts to ``/v1/import/``."""
    return {path: methods, path + "/": methods}


async def _healthy(_: web.BaseRequest) -> web.StreamResponse:
    return ready({"status": "up"})


async def _ready(_: web.BaseRequest, readiness: Readiness) -> web.StreamResponse:
    able, why = readiness()
    return ready({"ready": able, "why": why}, 200 if able else 503)
