"""The kinds of values that settings have: times, sizes, lists, secrets, and the table they stand in."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ByteSize, ConfigDict, Field, PlainSerializer, SecretStr

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def seconds(value: object) -> object:
    """``"30s"``, ``"4h"``, ``"7d"`` or a plain number of seconds → float; anything else is left for pydantic."""
    if isinstance(value, str) and (found := re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?\s*", value)):
        return float(found[1]) * UNITS[found[2] or "s"]
    return value


def comma_list(value: object) -> object:
    """``"a, b"`` → ``["a", "b"]``; lists stay."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


Seconds = Annotated[float, BeforeValidator(seconds), Field(ge=0)]
Names = Annotated[tuple[str, ...], BeforeValidator(comma_list)]
Secrets = Annotated[tuple[SecretStr, ...], BeforeValidator(comma_list)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]
Port = Annotated[int, Field(ge=0, le=65535)]
Bytes = Annotated[ByteSize, PlainSerializer(int)]


class Section(BaseModel):
    """A table of relay.toml; unknown keys are errors, because a typo must not be silence."""

    model_config = ConfigDict(frozen=True, extra="forbid")
