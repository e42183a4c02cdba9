"""Reading settings: environment and ``relay.toml`` → validated, frozen, with the origin of every value.

Order, first wins: short environment names (``RELAY_PORT``), nested environment names (``RELAY_DELIVERY__LINGER``),
``relay.toml``. Every secret can also come from a file: ``…_FILE`` beside the name, ``access_token_file`` in a
destination, ``token_file`` and the like in a source. All problems are reported at once.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import EnvSettingsSource

from relay.config.model import PREFIX, PRESETS, Destination, Settings
from relay.config.secret_files import read_secret_files
from relay.core.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings and where each value came from: ``"delivery.linger" → "RELAY_DELIVERY__LINGER"``."""

    settings: Settings
    origins: Mapping[str, str]

    def effective(self) -> dict[str, tuple[str, str]]:
        """Every setting by dotted key → (value as text with secrets masked, origin)."""
        flat = flatten(self.settings.model_dump(mode="json"))
        return {key: (text_of(value), origin_of(key, self.origins)) for key, value in flat.items()}


# Short names of design §6 → dotted key. A destination named "tiktok" is made of the RELAY_TIKTOK_… names.
SHORT = {
    "HOST": "intake.host",
    "PORT": "intake.port",
    "REDIS_URL": "journal.redis_url",
    "DATA_DIR": "journal.data_dir",
    "ENCRYPTION_KEY": "journal.encryption_key",
    "SEGMENT_SHARED_SECRET": "segment.shared_secret",
    "SEGMENT_TOKEN": "segment.token",
    "SEGMENT_WRITE_KEYS": "segment.write_keys",
    "TIKTOK_BASE_URL": "delivery.base_url",
    "ADMIN_HOST": "admin.host",
    "ADMIN_PORT": "admin.port",
    "ADMIN_TOKEN": "admin.token",
    "METRICS_PORT": "admin.metrics_port",
    "LOG_LEVEL": "log.level",
    "LOG_FORMAT": "log.format",
}
TIKTOK = {
    "TIKTOK_ACCESS_TOKEN": "access_token",
    "TIKTOK_PIXEL_CODE": "event_source_id",
    "TIKTOK_TEST_EVENT_CODE": "test_event_code",
}
FILED = (
    "REDIS_URL",
    "SEGMENT_SHARED_SECRET",
    "SEGMENT_TOKEN",
    "SEGMENT_WRITE_KEYS",
    "ADMIN_TOKEN",
    "ENCRYPTION_KEY",
    "TIKTOK_ACCESS_TOKEN",
)
# RELAY_CONFIG names the file; RELAY_REQUIRE belongs to the tests. Kubernetes writes RELAY_SERVICE_… and
# RELAY_PORT_… into every pod when a Service is called "relay".
NOT_OURS = re.compile(r"RELAY_(CONFIG|REQUIRE|SERVICE_.*|PORT_.*)$")
HINTS = {
    "extra_forbidden": "no such setting",
    "missing": "is required",
}


def load_settings(path: Path | None = None, environ: Mapping[str, str] | None = None) -> Loaded:
    """Read everything, or raise ConfigError with every problem at once. ``path`` outranks ``RELAY_CONFIG``."""
    env = {key.upper(): value for key, value in (os.environ if environ is None else environ).items()}  # noqa: TID251
    problems: list[str] = []
    origins: dict[str, str] = {}
    merged = toml_settings(path or chosen_file(env), problems, origins)
    overlay(merged, nested_settings(env, problems, origins))
    overlay(merged, short_settings(env, problems, origins))
    read_secret_files(merged, problems, origins)
    problems += unknown_names(env)
    try:
        settings = Settings(**merged)
    except ValidationError as error:
        problems += [problem_text(dict(item), origins) for item in error.errors()]
    if problems:
        raise ConfigError(problems)
    return Loaded(settings, origins)


def chosen_file(env: Mapping[str, str]) -> Path | None:
    """``RELAY_CONFIG``, else ``relay.toml`` in the working directory if there is one."""
    if named := env.get("RELAY_CONFIG"):
        return Path(named)
    return Path("relay.toml") if Path("relay.toml").is_file() else None


def toml_settings(path: Path | None, problems: list[str], origins: dict[str, str]) -> dict[str, Any]:
    """The tables of the file; {} without one."""
    if path is None:
        return {}
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        problems.append(f"{path}: cannot be read ({error.strerror}); RELAY_CONFIG names the file")
        return {}
    except ValueError as error:
        problems.append(f"{path}: not valid TOML: {error}")
        return {}
    origins.update({key: str(path) for key in flatten(tables)})
    find_mappings_beside(path, tables.get("destinations"))
    return tables


def find_mappings_beside(path: Path, destinations: object) -> None:
    """A mapping file that relay.toml names is looked for where relay.toml is, wherever the relay was started."""
    for table in destinations if isinstance(destinations, list) else ():
        named = table.get("mapping") if isinstance(table, dict) else None
        if isinstance(named, str) and named and named not in PRESETS:
            table["mapping"] = str(path.absolute().parent / named)


def nested_settings(env: Mapping[str, str], problems: list[str], origins: dict[str, str]) -> dict[str, Any]:
    """Names with ``__``: ``RELAY_DELIVERY__LINGER=0.1``, ``RELAY_DESTINATIONS__0__MAX_AGE=3d``."""
    listed = {key: value for key, value in env.items() if key.startswith("RELAY_DESTINATIONS__")}
    rest = {key.lower(): value for key, value in env.items() if "__" in key and key not in listed}

    class Nested(EnvSettingsSource):
        def _load_env_vars(self) -> Mapping[str, str | None]:
            return rest

        def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
            try:
                return super().decode_complex_value(field_name, field, value)
            except ValueError:  # not JSON: a comma list, which the model understands
                return value

    try:
        found: dict[str, Any] = Nested(Settings)()
    except ValueError as error:
        problems.append(f"environment: {error}")
        return {}
    for key in rest:
        if key.startswith("relay_"):
            origins[key.removeprefix("relay_").replace("__", ".")] = key.upper()
    if listed:
        found["destinations"] = listed_destinations(listed, origins)
    return found


def listed_destinations(listed: Mapping[str, str], origins: dict[str, str]) -> list[dict[str, str]]:
    """``RELAY_DESTINATIONS__<n>__<field>`` → a list of tables in the order of n."""
    tables: dict[str, dict[str, str]] = {}
    for key, value in listed.items():
        number, _, name = key.removeprefix("RELAY_DESTINATIONS__").partition("__")
        tables.setdefault(number.rjust(4, "0"), {})[name.lower()] = value
        origins[f"destinations.{number}.{name.lower()}"] = key
    return [tables[number] for number in sorted(tables)]


def short_settings(env: Mapping[str, str], problems: list[str], origins: dict[str, str]) -> dict[str, Any]:
    """The short names of design §6, and their ``…_FILE`` forms."""
    found: dict[str, Any] = {}
    for name, key in SHORT.items():
        if (value := env_or_file(env, name, problems)) is not None:
            section, _, field = key.partition(".")
            found.setdefault(section, {})[field] = value
            origins[key] = PREFIX + name + ("" if env.get(PREFIX + name) else "_FILE")
    if str(found.get("intake", {}).get("port", "")).startswith("tcp://"):
        problems.append(
            "RELAY_PORT: set by Kubernetes because a Service is called 'relay'; "
            "set enableServiceLinks: false on the pod, or name the Service otherwise"
        )
        del found["intake"]["port"]
    if destination := tiktok_destination(env, origins):
        found["destinations"] = [destination]
    return found


def tiktok_destination(env: Mapping[str, str], origins: dict[str, str]) -> dict[str, Any] | None:
    """The one destination that RELAY_TIKTOK_… describes; the token's file is kept, so that it can be rotated."""
    table: dict[str, Any] = {field: env[PREFIX + name] for name, field in TIKTOK.items() if env.get(PREFIX + name)}
    if token_file := env.get("RELAY_TIKTOK_ACCESS_TOKEN_FILE"):
        table["access_token_file"] = token_file
    if not table:
        return None
    for name, field in TIKTOK.items():
        if field in table:
            origins[f"destinations.0.{field}"] = PREFIX + name
    return {"name": "tiktok", **table}


def env_or_file(env: Mapping[str, str], name: str, problems: list[str]) -> str | None:
    """The value, or the stripped content of the file that ``…_FILE`` names; None when neither is set.

    Empty is not set: ``RELAY_ADMIN_TOKEN=${TOKEN:-}`` in a compose file must not open the port to an empty token.
    """
    if value := env.get(PREFIX + name):
        return value
    if name not in FILED or not (file := env.get(f"{PREFIX}{name}_FILE")):
        return None
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"{PREFIX}{name}_FILE: cannot read {file} ({error})")
        return None


def unknown_names(env: Mapping[str, str]) -> list[str]:
    """RELAY_… names that mean nothing, with the nearest one that does."""
    known = {PREFIX + name for name in (*SHORT, *TIKTOK)} | {f"{PREFIX}{name}_FILE" for name in FILED}
    sections = tuple(f"{PREFIX}{field.upper()}" for field in Settings.model_fields)
    problems = []
    for key in sorted(env):
        if not key.startswith(PREFIX) or key in known or NOT_OURS.match(key) or key.split("__")[0] in sections:
            continue
        near = difflib.get_close_matches(key, sorted(known), 1)
        problems.append(f"{key}: no such setting" + (f"; did you mean {near[0]}?" if near else ""))
    return problems


def problem_text(error: Mapping[str, Any], origins: Mapping[str, str]) -> str:
    """One line: key, what is wrong, where it came from. Never the value: it may be a secret."""
    key = ".".join(str(part) for part in error["loc"]) or "configuration"
    message = HINTS.get(error["type"], str(error["msg"]).removeprefix("Value error, "))
    if error["type"] == "extra_forbidden":
        near = difflib.get_close_matches(key.rpartition(".")[2], known_keys(key), 1)
        message += f"; did you mean {near[0]}?" if near else ""
    origin = origin_of(key, origins)
    return f"{key}: {message}" + (f" (from {origin})" if origin != "default" else "")


def known_keys(key: str) -> list[str]:
    """Names that may stand where ``key`` stands."""
    section = key.split(".", maxsplit=1)[0]
    kinds: dict[str, type[BaseModel]] = {"destinations": Destination}
    for name, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            kinds[name] = field.annotation
    if "." not in key or section not in kinds:
        return sorted(Settings.model_fields)
    return sorted(kinds[section].model_fields)


def overlay(below: dict[str, Any], above: Mapping[str, Any]) -> None:
    """Write ``above`` over ``below``, table by table. Destinations from the environment join those of the file."""
    for key, value in above.items():
        if isinstance(value, Mapping) and isinstance(below.get(key), dict):
            overlay(below[key], value)
        elif key == "destinations" and isinstance(below.get(key), list):
            below[key] = [*below[key], *value]
        else:
            below[key] = value


def flatten(tree: object, prefix: str = "") -> dict[str, Any]:
    """Dotted keys of a tree of tables and lists of tables."""
    if isinstance(tree, Mapping) and tree:
        pairs: list[tuple[str, Any]] = [(str(key), value) for key, value in tree.items()]
    elif isinstance(tree, list) and tree and isinstance(tree[0], Mapping):
        pairs = [(str(number), value) for number, value in enumerate(tree)]
    else:
        return {prefix: tree}
    found: dict[str, Any] = {}
    for key, value in pairs:
        found.update(flatten(value, f"{prefix}.{key}" if prefix else key))
    return found


def text_of(value: object) -> str:
    """A value for people; SecretStr has already turned itself into stars."""
    if value is None or value in ("", [], {}):
        return "(not set)"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def origin_of(key: str, origins: Mapping[str, str]) -> str:
    """Where the value of a dotted key came from, or ``default``."""
    return origins.get(key, "default")
