"""The report of an incident: ``figures`` makes the document, the others render it. Pure: document → text.

The document is what ``GET /api/incidents/{id}`` answers; it holds no personal data and no secret, so it may be sent on.
"""

from __future__ import annotations

from collections.abc import Callable

from relay.core.event import JsonObject
from relay.core.report.html import html
from relay.core.report.json import json
from relay.core.report.markdown import markdown

RENDERINGS: dict[str, Callable[[JsonObject], str]] = {"md": markdown, "html": html, "json": json}
