"""Golden cases with a few members changed, exchanged, added or taken away: what Segment's code is asked about, too."""

from __future__ import annotations

import copy
import itertools
import json
import random
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from relay.core.mapping import load_presets
from relay.core.mapping.values import in_key_order
from tests.conftest import SHARED
from tests.core.mapping.golden import DATA, SETTINGS, Json, lines

# What members become: texts, numbers, names of members, whole values, and words of triggers.
POOL: dict[str, list[Any]] = json.loads((DATA / "mutants.json").read_text("utf-8"))
# In mappings and triggers: lookups that find JavaScript's built-ins are undefined here (golden LANGUAGE §2.4), and a
# list as the root directive is nobody's mapping.
LEFT_OUT = re.compile(
    r"constructor|__proto__|prototype|toString|valueOf|toLocale|hasOwn|isPrototypeOf|propertyIsEnumerable|__define|__lookup"
    r"|\.(map|join|filter|push|slice|concat|at|toFixed)\b|__segment_internal_directive\": \[",
)


def golden(name: str) -> list[Json]:
    """Lines of a golden file: all of them where the folder is, else the slice that is always here."""
    whole = SHARED / "golden" / f"{name}.jsonl"
    if whole.is_file():
        return list(lines(whole))
    if name in SETTINGS:
        return [line for line in lines(DATA / "golden_destinations.jsonl") if line["destination"] == name]
    return list(lines(DATA / f"golden_{name.replace('-', '_')}.jsonl"))


class Mutants:
    """A stream of cases, the same for the same seed and the same golden files."""

    def __init__(self, seed: str) -> None:
        self._dice = random.Random(seed)
        self._directives, self._triggers = golden("directives"), golden("fql")
        self._custom = golden("custom-mappings")
        self._events = [line["input"] for slug in SETTINGS for line in golden(slug)]
        self._mappings = [line["mapping"] for line in self._directives]
        self._mappings += [line["subscription"]["mapping"] for line in self._custom]
        self._presets = [(slug, preset) for slug in SETTINGS for preset in load_presets(slug)]

    def cases(self, count: int) -> list[Json]:
        """So many that Segment can be asked about: of valid JSON, and without what is left out."""
        kinds = itertools.cycle((self._directive, self._trigger, self._customised, self._preset))
        return [self._askable(next(kinds)) for _ in range(count)]

    @staticmethod
    def _askable(kind: Callable[[], Json]) -> Json:
        while True:
            case = kind()
            rules = json.dumps([case.get(name) for name in ("mapping", "fql", "subscription")])
            objects = type(case.get("mapping", {})) is type(case["input"]) is dict
            if objects and not LEFT_OUT.search(rules) and _is_json(case):
                # As a JavaScript engine reads it: here members keep their order, which means nothing to TikTok.
                ordered = json.loads(json.dumps(case["input"]), object_hook=in_key_order)
                return case | {"input": ordered}

    def _directive(self) -> Json:
        line = self._dice.choice(self._directives)
        mapping = self._changed(line["mapping"], self._mappings, 3)
        return {"kind": "directive", "mapping": mapping, "input": self._changed(line.get("input", {}), self._events, 3)}

    def _trigger(self) -> Json:
        line = self._dice.choice(self._triggers)
        event = self._changed(line["event"], self._events, 3)
        return {"kind": "trigger", "fql": self._reworded(line["fql"]), "event": event, "input": {}}

    def _customised(self) -> Json:
        line = copy.deepcopy(self._dice.choice(self._custom))
        subscription = {
            **line["subscription"],
            "mapping": self._changed(line["subscription"]["mapping"], self._mappings, 3),
        }
        return self._run(line["destination"], subscription, self._changed(line["input"], self._events, 4))

    def _preset(self) -> Json:
        slug, preset = self._dice.choice(self._presets)
        event = self._changed(self._dice.choice(self._events), self._events, 5)
        wanted = re.fullmatch(r'(event|type) = "(.*)"', preset["subscribe"])
        if wanted and self._dice.random() < 0.9:
            event[wanted[1]] = wanted[2]
        subscription = {name: preset[name] for name in ("subscribe", "mapping", "partnerAction")}
        return self._run(slug, subscription, event)

    @staticmethod
    def _run(slug: str, subscription: Json, event: Any) -> Json:
        case = {"kind": "subscription", "destination": slug, "settings": SETTINGS[slug]}
        return case | {"subscription": subscription, "input": event}

    def _reworded(self, fql: str) -> str:
        words = re.findall(r'"[^"]*"|\w+|\s+|.', fql, re.DOTALL) or [""]
        for _ in range(self._dice.randint(0, 2)):
            at = self._dice.randrange(len(words))
            words[at : at + self._dice.randint(0, 1)] = [
                self._dice.choice([self._dice.choice(POOL["words"]), self._dice.choice(words), ""])
            ]
        return "".join(words)

    def _changed(self, value: Any, others: Sequence[Any], most: int) -> Any:
        changed = copy.deepcopy(value)
        for _ in range(self._dice.randint(0, most)):
            places = [path for path in _paths(changed) if path]
            if places:
                self._change(_at(changed, (path := self._dice.choice(places))[:-1]), path[-1], others)
        return changed

    def _change(self, parent: Any, name: Any, others: Sequence[Any]) -> None:
        dice = self._dice.random()
        if dice < 0.4:
            parent[name] = self._value()
        elif dice < 0.55:
            other = self._dice.choice(others)
            parent[name] = copy.deepcopy(_at(other, self._dice.choice(list(_paths(other)))))
        elif dice < 0.7:
            del parent[name]
        elif dice < 0.85:
            parent[name] = self._twisted(parent[name])
        elif type(parent) is list:
            parent.insert(self._dice.randint(0, len(parent)), self._value())
        else:
            parent[self._dice.choice(POOL["names"])] = self._value()

    def _twisted(self, value: Any) -> Any:
        if type(value) is str:
            twists = (
                value.upper(),
                value.lower(),
                value + " ",
                " " + value,
                value * 2,
                value[:-1],
                value + "\ud83d",
                [value],
            )
            return self._dice.choice(twists)
        if type(value) in {int, float}:
            return self._dice.choice([str(value), -value, value * 1000, value / 3, [value]])
        return [value]

    def _value(self) -> Any:
        dice = self._dice.random()
        if dice < 0.5:
            return self._dice.choice(POOL["texts"])
        if dice < 0.7:
            return self._dice.choice(POOL["numbers"])
        if dice < 0.85:
            return self._dice.choice([True, False, None])
        return copy.deepcopy(self._dice.choice(POOL["heaps"]))


def _is_json(case: Json) -> bool:
    try:
        return "__proto__" not in json.dumps(case, allow_nan=False)
    except ValueError:
        return False


def _paths(value: Any, so_far: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield so_far
    members = value.items() if type(value) is dict else enumerate(value) if type(value) is list else ()
    for name, member in members:
        yield from _paths(member, (*so_far, name))


def _at(value: Any, path: tuple[Any, ...]) -> Any:
    for name in path:
        value = value[name]
    return value
