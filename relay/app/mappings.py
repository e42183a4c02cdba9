"""The mappings of all destinations: compiled at start, and again when a file of subscriptions changes.

Intake, delivery and the operators' preview ask one and the same ``LiveMapping``, so that they change together.
"""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from relay.adapters.mapping_file import WatchedFile
from relay.adapters.system import Looks
from relay.config import Destination, Settings
from relay.config.model import EVENT_SOURCE_TO_PRESET, PRESETS
from relay.core.delivery.account import POISON
from relay.core.errors import ConfigError
from relay.core.event import JsonObject
from relay.core.mapping import MappingError, compile_destination, load_presets
from relay.core.mapping.destination import DestinationMapping, Item
from relay.core.mapping.document import read_document
from relay.core.mapping.fitness import CRM, misfits
from relay.core.notices import MappingRefused, MappingReloaded
from relay.ports import Tell

MOST_TOLD = 20  # problems in a notice; `relay check` lists all of them


class Compiled(NamedTuple):
    """A mapping and how many subscriptions are enabled in it, and are not."""

    mapping: DestinationMapping
    subscriptions: int
    disabled: int = 0


class LiveMapping:
    """The mapping of one destination that is in force now; whoever asks it never holds an older one."""

    def __init__(self, mapping: DestinationMapping) -> None:
        self._mapping = mapping

    def swap(self, mapping: DestinationMapping) -> None:
        """From the next event or entry on it is this one, whole."""
        self._mapping = mapping

    @property
    def event_source_id(self) -> str:
        """Pixel code, app id or event set id."""
        return self._mapping.event_source_id

    def matches(self, event: JsonObject) -> tuple[str, ...]:
        """As ``DestinationMapping.matches``."""
        return self._mapping.matches(event)

    def items(self, event: JsonObject, received_s: int) -> Sequence[Item]:
        """As ``DestinationMapping.items``."""
        return self._mapping.items(event, received_s)


class Mappings:
    """Every destination's mapping, by name, and those that follow a file."""

    def __init__(self, settings: Settings) -> None:
        """Compile all of them; ConfigError with every problem of every mapping."""
        self._repair = settings.mapping.repair
        self._destinations = {destination.name: destination for destination in settings.destinations}
        self._files = files_of(settings)
        self.live: dict[str, LiveMapping] = {}
        problems: list[str] = []
        for name, destination in self._destinations.items():
            try:
                compiled = compile_mapping_of(destination, self._files.get(name), repair=self._repair)
                self.live[name] = LiveMapping(compiled.mapping)
            except MappingError as error:
                problems += problem_lines(name, error)
        if problems:
            raise ConfigError(problems)

    async def watch(self, looks: Looks, tell: Tell, stopping: asyncio.Event) -> None:
        """Read files again when they have changed, and all of them when asked, until stopped."""
        asked = False
        while self._files and not stopping.is_set():
            for name, file in self._files.items():
                if file.look() or asked:
                    await self._reload(name, file, tell)
            asked = await looks.next(stopping)

    async def _reload(self, name: str, file: WatchedFile, tell: Tell) -> None:
        """The new mapping or, with one problem in it, none of it. In a thread: a large one takes a while to compile."""
        destination = self._destinations[name]
        try:
            compiled = await asyncio.to_thread(compile_mapping_of, destination, file, repair=self._repair)
        except MappingError as error:
            tell(MappingRefused(name, len(error.errors), tuple(error.errors[:MOST_TOLD])))
        else:
            self.live[name].swap(compiled.mapping)
            tell(MappingReloaded(name, compiled.subscriptions))


@dataclass(frozen=True, slots=True)
class Examined:
    """What ``relay check`` says about one destination's mapping. ``source``: the file, or whose presets."""

    source: str
    subscriptions: int = 0
    disabled: int = 0
    problems: tuple[str, ...] = ()


def examine_mappings(settings: Settings) -> dict[str, Examined]:
    """Every destination's mapping as it would be at a start now, by name."""
    files, found = files_of(settings), {}
    for destination in settings.destinations:
        name = destination.name
        source = str(destination.mapping_file or f"presets of {destination.preset}")
        try:
            compiled = compile_mapping_of(destination, files.get(name), repair=settings.mapping.repair)
            found[name] = Examined(source, compiled.subscriptions, compiled.disabled)
        except MappingError as error:
            found[name] = Examined(source, problems=tuple(problem_lines(name, error)))
    return found


def problem_lines(name: str, error: MappingError) -> list[str]:
    """Problems as they are told at a start, with the key of the setting."""
    return [f"destinations.{name}.mapping: {text}" for text in error.errors]


def files_of(settings: Settings) -> dict[str, WatchedFile]:
    """The mapping files of those destinations that have one."""
    named = {destination.name: destination.mapping_file for destination in settings.destinations}
    return {name: WatchedFile(path) for name, path in named.items() if path is not None}


def compile_mapping_of(destination: Destination, file: WatchedFile | None, *, repair: bool) -> Compiled:
    """Presets, or a team's own subscriptions. MappingError with every problem."""
    if file is None:
        return compile_presets(destination, repair=repair)
    return compile_file(destination, file, repair=repair)


def compile_presets(destination: Destination, *, repair: bool) -> Compiled:
    """Segment's own presets for the destination's event source. MappingError where none fit it."""
    slug = destination.preset
    if destination.event_source == CRM:
        text = f'the presets of {slug} send event_source "web"; a crm destination needs a file of subscriptions'
        raise MappingError([f'{text} whose event_source is "crm", with lead_fields'])
    wanted = EVENT_SOURCE_TO_PRESET[destination.event_source]
    if slug != wanted:
        raise MappingError([f'{slug} does not fit event_source = "{destination.event_source}", {wanted} does'])
    presets = load_presets(slug)
    return Compiled(compile_destination(slug, destination.event_source_id, presets, repair=repair), len(presets))


def compile_file(destination: Destination, file: WatchedFile, *, repair: bool) -> Compiled:
    """A team's own subscriptions. MappingError with every problem, each with the file and the subscription."""
    try:
        raw = file.read()
    except OSError as error:
        raise MappingError([f"{file.path}: cannot be read ({error.strerror}){hint(file.path)}"]) from None
    try:
        return compile_subscriptions(destination, raw, repair=repair)
    except MappingError as error:
        raise MappingError([f"{file.path}: {text}" for text in error.errors]) from None


def compile_subscriptions(destination: Destination, raw: bytes, *, repair: bool) -> Compiled:
    """The content of a mapping file, compiled for one destination. MappingError with every problem."""
    document = read_document(raw)
    slug, problems = destination.preset, list(document.problems)
    try:
        mapping = compile_destination(slug, destination.event_source_id, document.subscriptions, repair=repair)
    except MappingError as error:
        problems += error.errors
    except POISON as error:  # a bug of the compiler must not end a relay that works
        problems.append(f"the mapping cannot be compiled ({type(error).__name__})")
    problems += misfits(slug, destination.event_source, document.subscriptions)
    if problems:
        raise MappingError(problems)
    return Compiled(mapping, len(document.subscriptions), document.disabled)


def hint(path: Path) -> str:
    """A file that is not there may be a preset family misspelt."""
    if path.exists() or path.suffix:
        return ""
    near = difflib.get_close_matches(path.name, sorted(PRESETS), 1)
    return f"; did you mean {near[0]}?" if near else f"; the preset families are {', '.join(sorted(PRESETS))}"
