"""``relay train-dictionary``: a dictionary for the store's codec, from your own events or from made-up traffic."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import orjson

from relay.adapters.redis.codec import SHIPPED, load_dictionaries
from relay.adapters.redis.train import train, write
from relay.simulator.traffic import traffic

FIRST_SEED = 100  # benchmarks measure on other seeds
SHOPS = 200
EVENTS_PER_SHOP = 100
START_MS = 1_764_000_000_000
APART_MS = 3 * 86_400_000


@click.command("train-dictionary")
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=SHIPPED, help="Folder to write into.")
@click.option("--number", type=click.IntRange(1, 30), help="Its number; the next free one by default.")
def train_dictionary(file: Path | None, out: Path, number: int | None) -> None:
    """Train a dictionary of 110 KB from FILE (one event a line), or from made-up traffic without one.

    The dictionary is plain, stays, and no erasure reaches it. So made-up values of the same shape take the place of
    personal ones (ids, e-mail addresses, phone numbers, names, addresses, IPs, everything in traits) before it learns.
    What stands under keys of your own, or in free text, is only recognised when it looks like an address, a number of
    a phone or an id, or is in the same event under a known key: take such fields out of FILE first.
    """
    number = number or max(load_dictionaries((SHIPPED, out)), default=0) + 1
    events = file.read_bytes().splitlines() if file else made_up()
    try:
        out.mkdir(parents=True, exist_ok=True)
        path = write(train((event for event in events if event.strip()), made_up=file is None), out, number)
    except (ValueError, FileExistsError) as exc:
        raise click.ClickException(str(exc)) from exc
    click.echo(f"{path}: {path.stat().st_size:,} bytes; new entries are written with the highest number present")


def made_up() -> Iterator[bytes]:
    """Events of many made-up shops, so that the dictionary learns Segment and not one shop."""
    for seed in range(FIRST_SEED, FIRST_SEED + SHOPS):
        source = traffic(seed, START_MS + seed * APART_MS)
        for _ in range(EVENTS_PER_SHOP):
            yield orjson.dumps(next(source))
