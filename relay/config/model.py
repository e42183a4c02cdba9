"""What can be set: tables of relay.toml as frozen models, with their defaults, units and bounds."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import ByteSize, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from relay.config.keeping import DeadLetters, Journal, Privacy, Reports
from relay.config.values import (
    Bytes,
    Name,
    Names,
    OneSecret,
    Origins,
    Port,
    Seconds,
    Secrets,
    Section,
    http_url,
)

PREFIX = "RELAY_"
DEFAULT_BASE_URL = "https://business-api.tiktok.com"
# Conversions of the web, offline and CRM sources, old and new spellings (TikTok sheet §2.5).
DEFAULT_CONVERSIONS = (
    "CompletePayment",
    "Purchase",
    "PlaceAnOrder",
    "InitiateCheckout",
    "AddPaymentInfo",
    "CompleteRegistration",
    "Subscribe",
    "StartTrial",
    "SubmitForm",
    "Lead",
    "SubmitApplication",
    "ApplicationApproval",
    "Schedule",
    "Contact",
    "Checkout",
    "InstallApp",
    "Registration",
)
EVENT_SOURCE_TO_PRESET = {
    "web": "tiktok-conversions",
    "crm": "tiktok-conversions",
    "app": "tiktok-app-events",
    "offline": "tiktok-offline-conversions",
}
PRESETS = frozenset(EVENT_SOURCE_TO_PRESET.values())


class Intake(Section):
    """What the intake port hears."""

    host: str = "0.0.0.0"  # noqa: S104 - narrowed to loopback while nothing verifies senders, see Settings.intake_host
    port: Port = 8080
    max_body: Bytes = ByteSize(32 * 1024**2)
    max_events: int = Field(10_000, ge=1)
    max_depth: int = Field(64, ge=8, le=200)
    max_queue: Bytes = ByteSize(64 * 1024**2)
    max_in_flight: Bytes = ByteSize(96 * 1024**2)  # bodies that are being read, and what was made of them
    max_connections: int = Field(4096, ge=8)
    idle_timeout: Annotated[Seconds, Field(ge=1)] = (
        630.0  # longer than any balancer keeps its own end (Google's: 600 s)
    )
    head_timeout: Annotated[Seconds, Field(ge=0.1)] = 10.0
    body_timeout: Annotated[Seconds, Field(ge=0.1)] = 120.0
    body_rate: Annotated[Bytes, Field(ge=1)] = ByteSize(500)  # bytes a second, on average, after the first 10 s
    rate: float | None = Field(None, gt=0)  # events a second of each source; None: any
    burst: int | None = Field(None, ge=1)  # events at once; None: what a second brings
    stop_grace: Seconds = 1.0
    allow_unsigned: bool = False
    trusted_proxies: Names = ()
    public_url: str = ""  # where SDKs reach this relay; without it, whatever host they asked for
    unverified_grace: Seconds = 4 * 3600.0

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            ip_network(network, strict=False)
        return value

    @field_validator("public_url")
    @classmethod
    def _public(cls, value: str) -> str:
        return http_url(value) if value else value


class Source(Section):
    """A named sender. Where it says nothing itself, what is common holds; write keys are always its own.

    Two values in a list of secrets allow a rotation without a gap.
    """

    shared_secret: Secrets = ()
    token: Secrets = ()
    write_keys: Secrets = ()
    allowed_origins: Origins = ()  # pages whose browsers may send with its write keys; none: all
    destinations: Names = ()  # only these are asked for its events; none: all
    rate: float | None = Field(None, gt=0)
    burst: int | None = Field(None, ge=1)


class Segment(Source):
    """How senders prove who they are, and what is common to them."""

    trust_batches: bool = False
    consent_categories: Names = ("Advertising",)
    sources: dict[Name, Source] = Field(default_factory=dict)


class Delivery(Section):
    """How entries leave."""

    base_url: str = DEFAULT_BASE_URL
    linger: Seconds = 0.05
    live_age: Seconds = 30.0
    batch_items: int = Field(500, ge=1, le=1000)
    batch_bytes: Bytes = ByteSize(900_000)
    timeout: Annotated[Seconds, Field(ge=0.1, le=60)] = 8.0
    concurrency: int = Field(16, ge=1, le=64)
    calls_per_second: float = Field(1000.0, gt=0, le=1000)
    conversions: Names = DEFAULT_CONVERSIONS
    stop_grace: Seconds = 20.0

    @field_validator("base_url")
    @classmethod
    def _http(cls, value: str) -> str:
        return http_url(value)


class Admin(Section):
    """The operators' port."""

    host: str = "127.0.0.1"
    port: Port = 8081
    token: OneSecret = None
    protect_metrics: bool = False
    metrics_port: Port | None = None
    hosts: Names = ()  # names by which this port may be called, beside addresses and localhost


class Mapping_(Section):  # noqa: N801 - ``mapping`` is the table's name, Mapping is taken by typing
    """How events are shaped."""

    repair: bool = True


class Log(Section):
    """How notices are written."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "console"] | None = None


class Destination(Section):
    """One TikTok event source with its token and mapping."""

    name: Name
    event_source: Literal["web", "app", "offline", "crm"] = "web"
    event_source_id: str = Field(min_length=1)
    access_token: SecretStr | None = None
    access_token_file: Path | None = None
    mapping: str = ""
    mode: Literal["active", "paused", "standby"] = "active"
    max_age: Seconds = 7 * 86400.0
    also_sent_by: Literal["segment", "pixel", "nobody"] | None = None
    test_event_code: str = ""

    @model_validator(mode="after")
    def _whole(self) -> Destination:
        if (self.access_token is None) == (self.access_token_file is None):
            raise ValueError("give either access_token or access_token_file")
        if self.max_age > 28 * 86400:
            raise ValueError("max_age may be 28d at most: TikTok matches nothing older")
        return self

    @property
    def preset(self) -> str:
        """The preset family that shapes its events; with a mapping file, the one whose fields the file fills."""
        return self.mapping if self.mapping in PRESETS else EVENT_SOURCE_TO_PRESET[self.event_source]

    @property
    def mapping_file(self) -> Path | None:
        """The file of subscriptions to use instead of presets: whatever ``mapping`` says that is no preset family."""
        return Path(self.mapping).absolute() if self.mapping and self.mapping not in PRESETS else None

    @property
    def overlap_with(self) -> str:
        """Who else may send the same events (design §4.5, the overlap clock)."""
        if self.also_sent_by is not None:
            return self.also_sent_by
        if self.mode == "standby":
            return "segment"
        return "pixel" if self.event_source == "web" else "nobody"


class Settings(BaseSettings):
    """Everything that can be set."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", frozen=True, extra="forbid", case_sensitive=False
    )

    intake: Intake = Intake()
    segment: Segment = Segment()
    journal: Journal = Journal()
    delivery: Delivery = Delivery()
    privacy: Privacy = Privacy()
    dead_letters: DeadLetters = DeadLetters()
    reports: Reports = Reports()
    admin: Admin = Admin()
    mapping: Mapping_ = Mapping_()
    log: Log = Log()
    destinations: tuple[Destination, ...] = ()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the signature is pydantic-settings'
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what load_settings merged: reading the environment behind its back would hide where a value is from."""
        return (init_settings,)

    @model_validator(mode="after")
    def _names_differ(self) -> Settings:
        names = [destination.name for destination in self.destinations]
        for name in sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two destinations are called {name!r}")
        if self.journal.lease < self.delivery.timeout + 2:
            raise ValueError("journal.lease must be at least 2s longer than delivery.timeout: a call would outlive it")
        return self

    @model_validator(mode="after")
    def _sources_fit(self) -> Settings:
        known = {destination.name for destination in self.destinations}
        owners: dict[str, str] = {}
        problems: list[str] = []
        for name, source in self.senders.items():
            unknown = sorted(set(source.destinations) - known)
            problems += [f"{name}.destinations: no destination is called {one!r}" for one in unknown]
            for key in source.write_keys:
                owner = owners.setdefault(key.get_secret_value(), name)
                if owner != name:
                    problems.append(f"{name}.write_keys and {owner}.write_keys share a key: whose events are these?")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def senders(self) -> dict[str, Source]:
        """The common sender and the named ones, by the name of their table."""
        named = {f"segment.sources.{name}": source for name, source in self.segment.sources.items()}
        return {"segment": self.segment, **named}

    @property
    def verifies_senders(self) -> bool:
        """Whether any secret, token or write key is set."""
        return any(one.shared_secret or one.token or one.write_keys for one in self.senders.values())

    @property
    def intake_host(self) -> str:
        """The address to bind: loopback while nothing verifies senders, unless that was asked for."""
        if self.verifies_senders or self.intake.allow_unsigned:
            return self.intake.host
        return "127.0.0.1"
