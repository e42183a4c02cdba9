"""How a mapping of one's own differs from Segment's presets, event by event, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from relay.cli.previewing import Result
from relay.core.mapping.json_text import compact

Line = tuple[str, str]  # style, text
Flat = dict[str, Any]  # "properties.contents[0].price" → value
_LONGEST = 60
_PERSONAL = "user."  # hashes say nothing to people, and the rest is personal: named, never shown
_ADDED, _REMOVED, _CHANGED = "added", "removed", "changed"


def compared(mine: Sequence[Result], usual: Sequence[Result]) -> Iterator[Line]:
    """Lines about each subscription of either side; nothing when both want nothing."""
    if mine or usual:
        yield "bold", "   compared with the preset:"
    twins, left = _twins(mine, usual)
    for result, twin in zip(mine, twins, strict=True):
        if twin is None:
            yield "cyan", f"      {result.subscription}: no preset does this"
        else:
            yield from _pair(result, twin)
    for result in left:
        yield "cyan", f"      {result.subscription}: only the preset does this{_named(result)}"


def _twins(mine: Sequence[Result], usual: Sequence[Result]) -> tuple[list[Result | None], list[Result]]:
    """For each of ``mine`` the preset's: of the same name, else of the same TikTok event, else the last one left."""
    twins: list[Result | None] = [None] * len(mine)
    left = list(usual)
    for agree in (_same_name, _same_event, lambda *_: len(left) == twins.count(None) == 1):
        for place, result in enumerate(mine):
            found = next((one for one in left if twins[place] is None and agree(result, one)), None)
            if found is not None:
                twins[place] = found
                left.remove(found)
    return twins, left


def _same_name(mine: Result, usual: Result) -> bool:
    return mine.subscription == usual.subscription


def _same_event(mine: Result, usual: Result) -> bool:
    return _event(mine) is not None and _event(mine) == _event(usual)


def _pair(mine: Result, usual: Result) -> Iterator[Line]:
    title = f"      {mine.subscription}"
    if usual.subscription != mine.subscription:
        title += f", beside the preset {usual.subscription}"
    if mine.request is None or usual.request is None:
        yield "cyan", f"{title}: {_sendable(mine, usual)}"
        return
    lines = list(_differences(_flat(usual.request), _flat(mine.request)))
    yield ("cyan", f"{title}:") if lines else ("dim", f"{title}: the same request")
    yield from lines


def _sendable(mine: Result, usual: Result) -> str:
    if mine.request is None and usual.request is None:
        return "neither can be sent" if mine.error == usual.error else f"nor can the preset's be sent: {usual.error}"
    return "the preset's could be sent" if mine.request is None else f"the preset's cannot be sent: {usual.error}"


def _differences(before: Flat, after: Flat) -> Iterator[Line]:
    for path in (*before, *(path for path in after if path not in before)):
        if path not in before:
            yield "green", _line(_ADDED, path, _shown(path, after[path]))
        elif path not in after:
            yield "red", _line(_REMOVED, path, _shown(path, before[path]))
        elif not _same(before[path], after[path]):
            values = "" if path.startswith(_PERSONAL) else f"{_shown(path, before[path])} → {_shown(path, after[path])}"
            yield "yellow", _line(_CHANGED, path, values)


def _line(what: str, path: str, values: str) -> str:
    return f"         {what:<8} {path}" + (f": {values}" if values else "")


def _same(left: Any, right: Any) -> bool:
    """1 and 1.0 are one number in JSON, but true is none."""
    return bool(left == right) and isinstance(left, bool) == isinstance(right, bool)


def _shown(path: str, value: Any) -> str:
    if path.startswith(_PERSONAL):
        return ""
    text = value if isinstance(value, str) and value else compact(value).decode("utf-8", "replace")
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _flat(request: Mapping[str, Any]) -> Flat:
    """Fields of the item by path, and what stands above it; empty lists and objects count as not there."""
    found: Flat = {}
    above = {key: value for key, value in request.items() if key != "data"}
    waiting: list[tuple[str, Any]] = [*reversed((above | request["data"][0]).items())]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, dict):
            waiting += [(f"{path}.{key}", member) for key, member in reversed(value.items())]
        elif isinstance(value, list):
            waiting += [(f"{path}[{index}]", value[index]) for index in reversed(range(len(value)))]
        elif value != "":
            found[path] = value
    return found


def _event(result: Result) -> str | None:
    return result.request["data"][0]["event"] if result.request else None


def _named(result: Result) -> str:
    return f" ({_event(result)})" if result.request else ""
