"""Tables of relay.toml about what is kept: where, how much of it, for how long, and sealed with what."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, ByteSize, Field, SecretStr, field_validator, model_validator

from relay.config.secret_keys import key_bytes
from relay.config.values import Bytes, KeyId, Seconds, Secrets, Section, comma_list


class Journal(Section):
    """Where entries are kept, and how much of them."""

    redis_url: SecretStr | None = None
    data_dir: Path = Path("relay-data")
    max_bytes: Bytes | None = None
    high: float = Field(0.95, gt=0, le=1)
    low: float = Field(0.90, gt=0, le=1)
    on_full: Literal["refuse", "shed"] = "refuse"
    replicas: int = Field(0, ge=0, le=9)
    lease: Annotated[Seconds, Field(ge=1)] = 30.0
    retention: Annotated[Seconds, Field(ge=1)] = 86_400.0
    archive: bool = False
    disk_floor: Bytes = ByteSize(256 * 1024**2)
    ballast: Bytes = ByteSize(32 * 1024**2)
    valkey_max_memory: Bytes | None = None
    timeout: Annotated[Seconds, Field(ge=0.1)] = 5.0
    encryption_key: Secrets = ()
    lost_keys: Annotated[tuple[KeyId, ...], BeforeValidator(comma_list)] = ()

    @field_validator("encryption_key")
    @classmethod
    def _keys(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        keys = [key_bytes(secret.get_secret_value()) for secret in value]
        if len(set(keys)) < len(keys):
            raise ValueError("lists one key twice")
        return value

    @model_validator(mode="after")
    def _watermarks(self) -> Journal:
        if self.low >= self.high:
            raise ValueError("journal.low must be below journal.high")
        return self


class DeadLetters(Section):
    """How long and how many dead letters of a destination are kept; what is beyond is given up, the oldest first."""

    max_age: Annotated[Seconds, Field(ge=60)] = 90 * 86_400.0
    max_bytes: Bytes = ByteSize(256 * 1024**2)


class Reports(Section):
    """How long and how many incidents of a destination are kept, besides that there are 50 at most."""

    max_age: Annotated[Seconds, Field(ge=60)] = 400 * 86_400.0
    max_bytes: Bytes = ByteSize(64 * 1024**2)


class Privacy(Section):
    """For how long, and for how many people, it is remembered that their events are refused."""

    suppress_for: Annotated[Seconds, Field(ge=60)] = 365 * 86_400.0
    suppress_most: int = Field(1_000_000, ge=1000, le=10_000_000)
