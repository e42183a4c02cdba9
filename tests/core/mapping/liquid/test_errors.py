"""Error messages, which are part of what Segment shows: words, line and column."""

from __future__ import annotations

import pytest

from relay.core.mapping.errors import MappingError
from relay.core.mapping.liquid import compile_template
from tests.core.mapping.liquid.rendered import rendered

UNREADABLE = {
    "{{ x": 'output "{{ x" not closed, line:1, col:1',
    "{{ 'x }}": 'output "{{ \'x }}" not closed, line:1, col:1',
    "{{ " + "x" * 40: 'output "{{ ' + "x" * 26 + '..." not closed, line:1, col:1',
    "\U0001f311\n\U0001f311{% x": 'tag "{% x" not closed, line:2, col:3',
    "{%}": "illegal tag syntax, tag name expected, line:1, col:3",
    "{% %}": "illegal tag syntax, tag name expected, line:1, col:4",
    "{% liquid\n |\n%}": "illegal liquid tag syntax, line:2, col:2",
    "{% raw %}{%- endraw %}": 'raw "{% raw %}{%- endraw %}" not closed, line:1, col:10',
    "{{ }}": 'invalid value expression: "", line:1, col:4',
    "{{ | upcase }}": 'invalid value expression: "| upcase", line:1, col:4',
    "{{ a ) | b }}": 'expected "|" before filter, line:1, col:7',
    "{{ a || b }}": "expected filter name, line:1, col:7",
    "{{ a | b c }}": 'expected ":" after filter name, line:1, col:10',
    "{{ a | b: c d }}": 'unexpected character "d", line:1, col:13',
    "{{ a[b }}": "[ not closed, line:1, col:7",
    "{{ (a and b) }}": "invalid range syntax, line:1, col:8",
    "{{ (1..2 }}": "invalid range syntax, line:1, col:10",
    "{{ (1..) }}": 'unexpected token ")", value expected, line:1, col:8',
    "{% nope %}": 'tag "nope" not found, line:1, col:1',
    "a{% endif %}": 'tag "endif" not found, line:1, col:2',
    "{% if x %}\n{% for y in z %}": 'tag "for" is disabled, line:2, col:1',
    "{% if x %}": "tag {% if x %} not closed, line:1, col:1",
    "{% unless x %}{% capture y %}": "tag {% capture y %} not closed, line:1, col:15",
    "{% comment %}": "tag {% comment %} not closed, line:1, col:1",
    "{% liquid\n if x\n%}": "tag if x not closed, line:2, col:2",
    "{% if x %}{% else y %}{% endif %}": 'unexpected "y", line:1, col:1',
    "{% if x %}{% else %}{% elsif y %}{% endif %}": "unexpected elsif after else, line:1, col:1",
    "{% if x %}{% else %}{% else %}{% endif %}": "duplicated else, line:1, col:1",
    "{% assign %}": "expected variable name, line:1, col:10",
    "{% assign a.b = 1 %}": 'expected "=", line:1, col:12',
    "{% capture %}{% endcapture %}": "invalid capture name, line:1, col:11",
    "{% cycle %}": 'empty candidates: "{% cycle %}", line:1, col:9',
    "{% # a\n b %}": "every line of an inline comment must start with a '#' character, line:1, col:1",
}
FAILING = {
    "{{ s }}{{ n | map: 'x' }}": 'filter "map" is disabled, line:1, col:8',
    "{% if n | sort %}{% endif %}": 'filter "sort" is disabled, line:1, col:1',
    "{% if n %}\n {{ s | append }}{% endif %}": "append expect 2 arguments, line:2, col:2",
    "{{ '%' | url_decode }}": "URI malformed, line:1, col:1",
    "{{ '%ff' | url_decode }}": "URI malformed, line:1, col:1",
    "{{ moon[1] | url_encode }}": "URI malformed, line:1, col:1",
    "{{ no | default: 1, 2 }}": "Iterator value 2 is not an entry object, line:1, col:1",
    "{{ 0 | date: '%Y', 'Mars/Base' }}": "Invalid time zone specified: Mars/Base, line:1, col:1",
    "{{ list | where: '[x' }}": "[ not closed, line:1, col:3",
}


@pytest.mark.parametrize("template", UNREADABLE)
def test_unreadable(template: str) -> None:
    with pytest.raises(MappingError) as caught:
        compile_template(template)
    assert caught.value.errors == [UNREADABLE[template]]


@pytest.mark.parametrize("template", FAILING)
def test_failing(template: str) -> None:
    compile_template(template)
    with pytest.raises(MappingError) as caught:
        rendered(template)
    assert caught.value.errors == [FAILING[template]]


def test_an_object_that_names_its_own_text_has_none() -> None:
    with pytest.raises(MappingError, match="Cannot convert object to primitive value, line:1, col:1"):
        rendered("{{ o | upcase }}", {"o": {"toString": 1}})


def test_dead_branches_are_read_but_not_run() -> None:
    assert rendered("{% if no %}{{ x | map }}{% endif %}ok") == "ok"
