"""What a drill leaves behind when asked: the report of its incident, and the metrics that Prometheus would scrape."""

from __future__ import annotations

import asyncio
from pathlib import Path

import orjson

from relay.cli.client import Failed
from relay.cli.drilling.stage import Stage
from relay.core.event import JsonObject
from relay.core.report import RENDERINGS

CLOSES_S = 20.0
SCRAPE_EVERY = 0.25
FORMS = ("html", "md")


async def write_report(stage: Stage, folder: Path | None) -> list[Path]:
    """The latest incident's report, once it is closed; no file when there was none, or nobody wants it."""
    document = await last_incident(stage) if folder else None
    return written(document, folder) if document and folder else []


def written(document: JsonObject, folder: Path) -> list[Path]:
    """The files; one clear line when the folder cannot be written to."""
    files = {folder / f"report.{form}": RENDERINGS[form](document) for form in FORMS}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, text in files.items():
            file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Failed(f"{folder}: {error.strerror or error}") from None
    return list(files)


async def last_incident(stage: Stage) -> JsonObject | None:
    """A report of an incident that is still open would say so: wait a little until calm has lasted long enough."""
    loop = asyncio.get_running_loop()
    until = loop.time() + CLOSES_S
    document = await stage.incident()
    while document is not None and document["open"] and loop.time() < until:
        await asyncio.sleep(0.2)
        document = await stage.incident()
    return document


async def keep_metrics(stage: Stage, file: Path) -> None:
    """A line for each scrape: ``{"at": seconds, "page": text or null}``. Until cancelled."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    with file.open("wb") as out:
        while True:
            at = loop.time() - start
            out.write(orjson.dumps({"at": at, "page": await stage.metrics()}, option=orjson.OPT_APPEND_NEWLINE))
            await asyncio.sleep(max(0.0, start + at + SCRAPE_EVERY - loop.time()))
