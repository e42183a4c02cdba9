"""Kinds of values in relay.toml: how they are written, what they become, what is refused."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ByteSize, ConfigDict, Field, PlainSerializer, SecretStr

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


def no_blank(value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    """An empty list says that there is none; an empty value in a list would let in whoever sends an empty one."""
    if not all(secret.get_secret_value().strip() for secret in value):
        raise ValueError("lists an empty value, which is no secret: take it out ([] means none)")
    return value


def none_if_blank(value: SecretStr | None) -> SecretStr | None:
    """Empty is not set, wherever it was written."""
    return value if value is not None and value.get_secret_value().strip() else None


def http_url(value: str) -> str:
    """An address without a slash at the end."""
    if not re.match(r"https?://[^/\s]+", value):
        raise ValueError("must start with http:// or https://")
    return value.rstrip("/")


def origins(value: tuple[str, ...]) -> tuple[str, ...]:
    """Origins as browsers spell them, in lower case; the first label of the host may be ``*``."""
    for origin in value:
        if not re.fullmatch(r"https?://(\*\.)?[^/*\s?#@]+", origin.lower()):
            raise ValueError("an origin is https://shop.example.com or https://*.example.com: no path, no slash behind")
    return tuple(origin.lower() for origin in value)


Seconds = Annotated[float, BeforeValidator(seconds), Field(ge=0)]
Names = Annotated[tuple[str, ...], BeforeValidator(comma_list)]
Secrets = Annotated[tuple[SecretStr, ...], BeforeValidator(comma_list), AfterValidator(no_blank)]
OneSecret = Annotated[SecretStr | None, AfterValidator(none_if_blank)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]
KeyId = Annotated[str, Field(pattern=r"^[0-9a-f]{8}$")]
Origins = Annotated[Names, AfterValidator(origins)]
Port = Annotated[int, Field(ge=0, le=65535)]
Bytes = Annotated[ByteSize, PlainSerializer(int)]


class Section(BaseModel):
    """A table of relay.toml; unknown keys are errors, because a typo must not be silence."""

    model_config = ConfigDict(frozen=True, extra="forbid")
