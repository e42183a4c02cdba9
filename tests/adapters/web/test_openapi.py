from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from unittest.mock import Mock

from aiohttp import web

from relay.adapters.web.admin import AdminOptions, build_admin
from relay.adapters.web.admin_replays import TURNS
from relay.adapters.web.openapi import document
from relay.core.event import JsonObject
from relay.core.segment.decode import TYPE_BY_PATH
from tests.adapters.web.test_admin import Scene

METHODS = {"get", "post", "put", "patch", "options", "delete"}


def described(port: str) -> set[tuple[str, str]]:
    """(METHOD, path) of one port."""
    return {
        (method.upper(), path)
        for path, methods in document()["paths"].items()
        for method in METHODS & methods.keys()
        if port in methods["servers"][0]["url"]
    }


def references(part: object) -> Iterator[str]:
    if isinstance(part, dict):
        yield from ([part["$ref"]] if isinstance(part.get("$ref"), str) else [])
        for member in part.values():
            yield from references(member)
    elif isinstance(part, list):
        for item in part:
            yield from references(item)


def served(app: web.Application) -> set[tuple[str, str]]:
    found = set()
    for route in app.router.routes():
        assert route.resource is not None
        path = re.sub(r"\{(\w+):.+?\}(?=/|$)", r"{\1}", route.resource.canonical)
        if route.method != "HEAD":  # comes with every GET
            found.add((route.method, path))
    return found


async def never(*_: object) -> Any:
    raise AssertionError("no handler is called here")


def test_every_route_of_the_admin_port_is_described_and_no_other() -> None:
    scene = Scene()
    looks = replace(scene.parts, trace=never, incidents=scene.store.incidents, replayer=Mock(), eraser=Mock())
    parts = replace(looks, fail_over=never, fail_back=never)
    app = build_admin(AdminOptions("token"), parts)
    switch = "/api/destinations/{name}/{switch}"
    turn = "/api/replays/{turn}"
    by_name = {("POST", switch.replace("{switch}", name)) for name in ("pause", "resume", "probe")}
    by_name |= {("POST", turn.replace("{turn}", name)) for name in TURNS}
    assert described("8081") == (served(app) - {("POST", switch), ("POST", turn)}) | by_name


def test_every_path_of_the_intake_port_is_described() -> None:
    paths = {path for _, path in described("8080")}
    assert paths >= {f"/v1/{name}" for name in (*TYPE_BY_PATH, "m", "projects/{writeKey}/settings")}
    assert paths >= {"/api/s/{call}", "/api/s/s2s/{call}"}
    assert paths >= {"/webhook/segment", "/webhook/segment/{source}", "/healthz", "/readyz"}


def test_every_reference_leads_somewhere_and_every_component_is_used() -> None:
    whole: JsonObject = document()
    used = set(references(whole))
    there = {f"#/components/{kind}/{name}" for kind in ("schemas", "responses") for name in whole["components"][kind]}
    assert used == there


def test_operations_have_names_of_their_own() -> None:
    names = [
        operation["operationId"]
        for methods in document()["paths"].values()
        for method, operation in methods.items()
        if method in METHODS
    ]
    assert len(names) == len(set(names))
