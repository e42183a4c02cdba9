"""Values, operators, tags and white space, as liquidjs 10.27 has them."""

from __future__ import annotations

from typing import Any

import pytest

from relay.core.mapping.liquid import compile_template
from tests.core.mapping.liquid.rendered import EVENT, rendered

VALUES = {
    "{{ s }}|{{ n }}|{{ no }}|{{ nothing }}|{{ missing.x.y }}": "Hello World|5|false||",
    "{{ list }}|{{ nested }}|{{ o }}": "31x|12|[object Object]",
    "{{ 1.0 }}|{{ -5 }}|{{ +2 }}|{{ 5. }}|{{ 1e3 }}|{{ .5 }}|{{ 0x10 }}|{{ 1.5.2 }}": "1|-5|2|5||||",
    "{{ (1..3) }}|{{ (3..1) }}|{{ (1..n).size }}|{{ ('a'..2) }}": "123||5|",
    "{{ nil }}|{{ empty }}|{{ blank }}|{{ true }}|{{ true-x }}|{{ empty.size }}": "|||true||",
    "{{ list[0] }}|{{ list[-2] }}|{{ list[9] }}|{{ list['0'] }}|{{ list.first }}|{{ list.length }}": "3|x||3|3|4",
    "{{ o['k'] }}|{{ o[ 'k' junk ] }}|{{ ['s'] }}|{{ o. k }}|{{ o.size }}|{{ s.size }}|{{ n.size }}": (
        "v|v|Hello World|v|2|11|"
    ),
    "{{ moon.size }}|{{ moon[1] }}{{ moon[2] }}|{{ moon.length }}": "4|\U0001f311|4",
    "{{ size }}|{{ first }}|{{ constructor }}|{{ s.trim }}": "0|||",
    r"{{ 'a\n\u0041\101\q\'' }}": "a\nAAq'",
    "{% assign a = 'abc %}{{ a }}": "ab",
    "{{ s upcase n }}|{{ s | }}|{{ s | upcase: }}|{{ s | unknown: 1 | upcase }}": (
        "Hello World|Hello World|HELLO WORLD|HELLO WORLD"
    ),
    "a }} b %} { c": "a }} b %} { c",
}
OPERATORS = {
    "true or true and false": True,
    "true and true or false": True,
    "false and true or true": False,
    "not false and false": False,
    "not n == 5": False,
    "n == '5'": False,
    "n >= '5'": True,
    "'b' > 'a'": True,
    "list contains 'x'": True,
    "list contains nil": True,
    "s contains 'World'": True,
    "o contains 'k'": False,
    "'undefined' contains missing": True,
    "nothing < 1": True,
    "missing < 1": False,
    "nil < 1": False,
    "1 > nil": False,
    "empty_text == empty": True,
    "empty == empty": False,
    "'  ' == blank": True,
    "no == blank": True,
    "nothing == nil": True,
    "missing != nil": False,
    "nested == nested": True,
    "o == o": True,
    "o == nested": False,
    "n <> 4": False,  # no operator: n is less than (nothing is more than 4)
    "==": True,  # of two missing operands
    "list < 5": False,
    "n": True,
    "empty_text": True,
    "no": False,
}
TAGS = {
    "{% if no %}a{% elsif n > 4 %}b{% else %}c{% endif %}": "b",
    "{% if no %}a{% endif %}": "",
    "{% unless no %}a{% else %}b{% endunless %}": "a",
    "{% unless n %}a{% elsif no %}b{% else %}c{% else %}d{% elsif n %}e{% endunless %}": "c",
    "{% unless n %}a{% elsif n %}b{% endunless %}|{% unless n %}a{% endunless %}": "b|",
    "{% assign s = 'mine' | append: '!' %}{{ s }}": "mine!",
    "{% capture c %}<{{ n }}>{% endcapture %}{{ c }}{% capture 'd e' %}x{% endcapture %}{{ ['d e'] }}": "<5>x",
    "{% increment i %}{% increment i %}{{ i }}|{% decrement j %}{{ j }}": "012|-1-1",
    "{% increment n %}{{ n }}|{% increment s %}{{ s }}": "56|01",
    "{% cycle 'a', 'b' %}{% cycle 'x', 'y' %}{% cycle 'a', 'b' %}|{% cycle 1: 0, 1 %}{% cycle 1: 0, 1 %}": "aya|1",
    "a{% break %}b": "a",
    "{% capture c %}a{% continue %}b{% endcapture %}c": "",
    "{% comment %}{{ n }}{% if %}{% endcomment %}a": "a",
    "{% # one line %}{% #\n # two %}a": "a",
    "{% raw %} {{ n }} {% endif %} {% endraw %}|{% raw %}{% endraw -%}  a": " {{ n }} {% endif %} |a",
    "{% echo n | plus: 1 %}{% echo %}": "6",
    "{% block b %}{{ block }}{{ block.super }}{% endblock %}{{ block }}": "[object Object]",
    "{% liquid\n assign a = 1\n if a\n echo a\n endif\n echo 'b' %}": "1b",
    "{% liquid liquid echo n %}": "5",
}
WHITE_SPACE = {
    " \n{{- n -}} \u2003 x ": "5x ",
    "a {%- if n -%} b {%- endif -%} c": "abc",
    "a \ufeff{{- n }}": "a \ufeff5",
    "a {%- raw -%} b {% endraw -%} c": "a b c",
}


@pytest.mark.parametrize("template", VALUES)
def test_values(template: str) -> None:
    assert rendered(template) == VALUES[template]


@pytest.mark.parametrize("condition", OPERATORS)
def test_operators(condition: str) -> None:
    assert rendered(f"{{% if {condition} %}}yes{{% endif %}}") == ("yes" if OPERATORS[condition] else "")


@pytest.mark.parametrize("template", TAGS)
def test_tags(template: str) -> None:
    assert rendered(template) == TAGS[template]


@pytest.mark.parametrize("template", WHITE_SPACE)
def test_white_space(template: str) -> None:
    assert rendered(template) == WHITE_SPACE[template]


@pytest.mark.parametrize(("payload", "text"), [(None, "|0"), (5, "|0"), ("ab", "a|0"), ([7], "7|0")])
def test_scopes_that_are_no_objects(payload: Any, text: str) -> None:
    assert rendered("{{ [0] }}|{{ size }}", payload) == text


def test_a_rendering_changes_neither_its_template_nor_the_event() -> None:
    event = {"list": [1], "n": 1}
    template = compile_template("{% increment n %}{% assign list = list | push: 2 %}{{ list }}{% cycle 'a', 'b' %}")
    assert [template(event, None) for _ in range(2)] == ["112a", "112a"]
    assert event == {"list": [1], "n": 1}


def test_the_words_of_the_language_are_no_texts_to_javascript() -> None:
    assert rendered("{{ list | push: blank | join }}") == "3 1 x  [object Object]"
    assert EVENT["list"] == [3, 1, "x", None]
