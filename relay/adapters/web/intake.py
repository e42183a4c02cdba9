"""The intake port: every path it serves (design section 6).

It never redirects: a redirected POST loses its body.
No middlewares and no task per request: a signed webhook is read, verified, parsed once, sorted and appended in the
handler that aiohttp runs anyway, because this is the path that has to keep up with a whole shop. The runner of this
application should have its access log off: requests are told as notices.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from aiohttp import web

from relay.adapters.web.intake_answers import preflight, ready
from relay.adapters.web.intake_options import DEFAULT_SOURCE, IntakeOptions
from relay.adapters.web.intake_reception import Reception
from relay.adapters.web.intake_tracking import Tracking
from relay.adapters.web.intake_webhook import Webhook
from relay.core.segment.decode import TYPE_BY_PATH
from relay.engine.intake import Intake
from relay.ports import Clock, Tell

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Readiness = Callable[[], tuple[bool, str]]
WEBHOOK_METHODS = ("POST", "PUT", "PATCH")


def build_intake(
    options: IntakeOptions, intake: Intake, readiness: Readiness, clock: Clock, tell: Tell
) -> web.Application:
    """The application for the intake port. ``readiness`` says whether events can be accepted, and if not, why."""
    reception = Reception(clock, tell)
    webhook = Webhook(options, intake, reception, clock, tell)
    tracking = Tracking(options, intake, reception, clock, tell)
    app = web.Application(client_max_size=options.max_body)
    serve = partial(_serve, app=app, reception=reception)
    serve("/webhook/segment", WEBHOOK_METHODS, partial(webhook.hear, name=DEFAULT_SOURCE), _preflight)
    serve("/webhook/segment/{source}", WEBHOOK_METHODS, webhook.hear_named, _preflight)
    for path, kind in TYPE_BY_PATH.items():
        serve(f"/v1/{path}", ("POST",), partial(tracking.hear, kind=kind), _preflight)
    serve("/v1/m", ("POST",), tracking.swallow, _preflight)
    serve("/healthz", ("GET", "HEAD"), _healthy)
    serve("/readyz", ("GET", "HEAD"), partial(_ready, readiness=readiness))
    app.router.add_route("*", "/{path:.*}", reception.not_found)
    return app


def _serve(
    path: str,
    methods: tuple[str, ...],
    handler: Handler,
    options: Handler | None = None,
    *,
    app: web.Application,
    reception: Reception,
) -> None:
    """Both slash forms: the Java SDK posts to ``/v1/import/``."""
    allowed = ", ".join((*methods, "OPTIONS") if options else methods)
    for form in (path, path + "/"):
        resource = app.router.add_resource(form)
        for method in methods:
            resource.add_route(method, handler)
        if options:
            resource.add_route("OPTIONS", options)
        resource.add_route("*", partial(reception.other_method, allowed=allowed))


async def _preflight(request: web.Request) -> web.StreamResponse:
    return preflight(request.headers.get("Origin", ""))


async def _healthy(_: web.Request) -> web.StreamResponse:
    return ready({"status": "up"})


async def _ready(_: web.Request, readiness: Readiness) -> web.StreamResponse:
    able, why = readiness()
    return ready({"ready": able, "why": why}, 200 if able else 503)
