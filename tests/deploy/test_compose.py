"""docker-compose.yml, as far as it can be judged without an engine: its schema, and everything it refers to."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from relay.config import load_settings

DATA = Path(__file__).parent / "data"
OPTIONAL = re.compile(r"\$\{(\w+):-\}")
FILLED = re.compile(r"\$\{(\w+):\?[^}]*\}")
EXAMPLE = "deploy/example.env"


@pytest.fixture(scope="module")
def compose(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((root / "docker-compose.yml").read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft7Validator:
    return jsonschema.Draft7Validator(json.loads((DATA / "compose_spec.json").read_text(encoding="utf-8")))


def test_it_follows_the_schema(compose: dict[str, Any], validator: jsonschema.Draft7Validator) -> None:
    assert [error.message for error in validator.iter_errors(compose)] == []


@pytest.mark.parametrize(
    "change", [{"prots": []}, {"ports": 8080}, {"read_only": "maybe"}, {"depends_on": {"valkey": {"condition": 1}}}]
)
def test_the_schema_would_notice(
    compose: dict[str, Any], validator: jsonschema.Draft7Validator, change: dict[str, Any]
) -> None:
    broken = {**compose, "services": {**compose["services"], "relay": {**compose["services"]["relay"], **change}}}
    assert list(validator.iter_errors(broken))


def test_what_services_refer_to_is_declared(compose: dict[str, Any], root: Path) -> None:
    for name, service in compose["services"].items():
        assert set(service.get("networks", [])) <= set(compose["networks"]), name
        assert set(service.get("depends_on", [])) <= set(compose["services"]), name
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert (root / source).exists() if source.startswith(".") else source in compose["volumes"], volume


def test_who_waits_for_health_waits_for_somebody_who_tells(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        waits = service.get("depends_on", [])
        for other in waits if isinstance(waits, dict) else ():
            assert "healthcheck" in compose["services"][other]


def test_only_intake_is_published_to_the_world(compose: dict[str, Any]) -> None:
    published = {name: service.get("ports", []) for name, service in compose["services"].items()}
    assert published.pop("relay") == ["8080:8080"]
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)
    assert compose["services"]["valkey"]["networks"] == ["store"]
    assert compose["networks"]["store"]["internal"] is True


def test_images_are_pinned(compose: dict[str, Any]) -> None:
    images = [service["image"] for service in compose["services"].values() if "build" not in service]
    assert len(images) == 3
    assert all(re.search(r":v?\d+\.\d+", image) for image in images)


def test_every_value_to_fill_in_is_in_the_example(compose: dict[str, Any], root: Path) -> None:
    wanted = set(FILLED.findall((root / "docker-compose.yml").read_text(encoding="utf-8")))
    offered = re.findall(r"^(\w+)=$", (root / EXAMPLE).read_text(encoding="utf-8"), re.MULTILINE)
    assert wanted == set(offered)
    assert len(wanted) == 4
    optional = OPTIONAL.findall((root / "docker-compose.yml").read_text(encoding="utf-8"))
    assert all(f"# {name}=" in (root / EXAMPLE).read_text(encoding="utf-8") for name in optional)


def test_the_relay_understands_its_environment(compose: dict[str, Any]) -> None:
    given = compose["services"]["relay"]["environment"]
    environ = {name: OPTIONAL.sub("", FILLED.sub("made-up", value)) for name, value in given.items()}
    settings = load_settings(environ=environ).settings
    assert settings.intake_host == "0.0.0.0"  # a secret is set, so the container can be reached
    assert settings.admin.metrics_port == 9464
    assert settings.admin.host == "127.0.0.1"
    assert settings.journal.redis_url is not None
    assert [destination.event_source_id for destination in settings.destinations] == ["made-up"]


def test_prometheus_scrapes_what_the_relay_serves(compose: dict[str, Any], root: Path) -> None:
    config = yaml.safe_load((root / "deploy/prometheus/prometheus.yml").read_text(encoding="utf-8"))
    [job] = config["scrape_configs"]
    port = compose["services"]["relay"]["environment"]["RELAY_METRICS_PORT"]
    assert job["static_configs"] == [{"targets": [f"relay:{port}"]}]
    assert set(compose["services"]["relay"]["networks"]) & set(compose["services"]["prometheus"]["networks"])
    mounted = [volume.split(":")[:2] for volume in compose["services"]["prometheus"]["volumes"]]
    assert all(["./deploy/prometheus/" + name, "/etc/prometheus/" + name] in mounted for name in config["rule_files"])


def test_it_stops_slower_than_the_relay(compose: dict[str, Any]) -> None:
    settings = load_settings(environ={"RELAY_TIKTOK_PIXEL_CODE": "P", "RELAY_TIKTOK_ACCESS_TOKEN": "t"}).settings
    assert int(compose["services"]["relay"]["stop_grace_period"].rstrip("s")) > settings.delivery.stop_grace + 10


def test_valkey_is_as_durable_as_the_embedded_one(compose: dict[str, Any]) -> None:
    words = compose["services"]["valkey"]["command"]
    assert words[0] == "valkey-server"
    assert dict(zip(words[1::2], words[2::2], strict=True)) == {
        "--appendonly": "yes",
        "--appendfsync": "always",
        "--save": "",
        "--maxmemory": "1gb",
        "--maxmemory-policy": "noeviction",
        "--set-max-intset-entries": "16384",
        "--stream-node-max-bytes": "12288",
    }
