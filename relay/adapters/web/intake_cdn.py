"""The settings that SDKs fetch from Segment's CDN, served here so that they take the relay for their host.

Mobile SDKs and analytics.js ask ``/v1/projects/{writeKey}/settings`` at start, and the ``apiHost`` in the answer
outranks the one in the app's code (Segment sheet section 2.5). The answer names no integration but Segment's own, so
that no device-mode code is loaded, no sampling of the SDK's own metrics, and no rules for retries: the SDKs' built-in
ones keep more.
"""

from __future__ import annotations

import hmac
import re
from urllib.parse import unquote, urlsplit

from aiohttp import web

from relay.adapters.web.intake_answers import problem, ready
from relay.adapters.web.intake_options import IntakeOptions
from relay.core.event import JsonObject
from relay.core.notices import Why

SETTINGS_PATH = re.compile(r"/v1/projects/([^/]{1,200})/settings/?")
HOST = re.compile(r"[A-Za-z0-9._-]{1,253}(:\d{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:\d{1,5})?")
LOCAL = re.compile(r"(localhost|127\.[0-9.]+|\[::1\])(:\d+)?")
ALWAYS = {"__default": {"enabled": True, "integrations": {}}}


class CdnSettings:
    """Answers for the write keys that are configured; for any, where none is and unsigned senders are believed."""

    def __init__(self, options: IntakeOptions) -> None:
        self._keys = [key for source in options.sources.values() for key in source.write_keys]
        self._any = options.allow_unsigned and not self._keys
        self._public = urlsplit(options.public_url)

    def answer(self, request: web.BaseRequest, write_key: str) -> web.Response:
        """The document for ``write_key`` as it stands in the path; 404 when nobody has it."""
        key = unquote(write_key)
        coded = key.encode("utf-8", "surrogatepass")
        known = [hmac.compare_digest(coded, one) for one in self._keys]
        where = self._where(request.headers.get("Host", ""))
        if where is None or not (self._any or any(known)):
            return problem(Why.UNKNOWN_SOURCE)
        answer = ready(document(key, *where))
        answer.headers["Cache-Control"] = "no-store"
        return answer

    def _where(self, asked: str) -> tuple[str, str] | None:
        """Scheme and address of this relay: what is configured, else as it was asked for.

        SDKs speak https but to the machine they run on: behind the proxy that ends TLS the scheme cannot be seen.
        """
        if self._public.netloc:
            return self._public.scheme, self._public.netloc + self._public.path.rstrip("/")
        if not HOST.fullmatch(asked):
            return None
        return ("http" if LOCAL.fullmatch(asked) else "https"), asked


def document(write_key: str, scheme: str, address: str) -> JsonObject:
    """Settings of a source that has no destinations of its own."""
    return {
        "integrations": {"Segment.io": {"apiKey": write_key, "apiHost": f"{address}/v1", "protocol": scheme}},
        "plan": {"track": ALWAYS, "identify": ALWAYS, "group": ALWAYS},
        "edgeFunction": {},
        "analyticsNextEnabled": True,
        "middlewareSettings": {},
        "enabledMiddleware": {},
        "metrics": {"sampleRate": 0},
        "legacyVideoPluginsEnabled": False,
        "remotePlugins": [],
    }
