"""The filters of ``@liquid``, one registry.

A filter takes the rendering, the value before the bar and its arguments; a missing argument is UNDEFINED, superfluous
ones are ignored. Filters fail with a Fault and charge the rendering for what they read and make.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from relay.core.mapping.liquid.errors import Fault
from relay.core.mapping.liquid.filters import dates, encoding, lists, numbers, text
from relay.core.mapping.liquid.rendering import Rendering

Filter = Callable[..., Any]

# Segment registers these anew to fail when they are executed; a filter that nobody knows is skipped instead.
DISABLED = (
    "array_to_sentence_string", "concat", "find", "find_exp", "find_index", "find_index_exp", "group_by",
    "group_by_exp", "has", "has_exp", "map", "newline_to_br", "reject", "reject_exp", "reverse", "sort",
    "sort_natural", "type", "uniq", "where_exp",
)  # fmt: skip


def _disabled(name: str) -> Filter:
    def fail(_run: Rendering, _value: Any, *_: Any) -> NoReturn:
        raise Fault(f'filter "{name}" is disabled')

    return fail


FILTERS: dict[str, Filter] = {
    **text.FILTERS,
    **lists.FILTERS,
    **numbers.FILTERS,
    **encoding.FILTERS,
    **dates.FILTERS,
    **{name: _disabled(name) for name in DISABLED},
}
