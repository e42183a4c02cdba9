"""Settings of a Segment destination: an access token and the id of an event source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from relay.core.mapping.schema.coercion import Findings, scalar
from relay.core.tiktok.fields.field import Field, text

ACCESS_TOKEN = text("accessToken", "Access Token")


def admitted_settings(settings: Mapping[str, Any], source: Field) -> tuple[str, str]:
    """The event source id, and why Segment refuses these settings ('' when it does not)."""
    findings = Findings()
    needed = (ACCESS_TOKEN, source)
    missing = [
        f"The root value is missing the required field '{field.name}'."
        for field in needed
        if field.name not in settings
    ]
    found = {field.name: scalar(field)(settings[field.name], findings) for field in needed if field.name in settings}
    return str(found.get(source.name, "")), " ".join(missing + findings.problems)
