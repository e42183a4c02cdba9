"""Filters, as liquidjs 10.27 has them."""

from __future__ import annotations

from itertools import chain

import pytest

from relay.core.mapping.liquid.filters import DISABLED, FILTERS
from tests.core.mapping.liquid.rendered import rendered

TEXT = {
    "{{ s | upcase }}|{{ s | downcase }}|{{ 'ab CD' | capitalize }}|{{ '' | capitalize }}": (
        "HELLO WORLD|hello world|Ab cd|"
    ),
    "{{ s | append: n }}|{{ s | prepend: list }}|{{ moon[1] | append: moon[2] }}": (
        "Hello World5|31xHello World|\U0001f311"
    ),
    "{{ s | replace: 'l', 'L' }}|{{ 'abc' | replace: '', '-' }}|{{ s | replace: 'o' }}": (
        "HeLLo WorLd|a-b-c|Hell Wrld"
    ),
    "{{ s | replace_first: 'o', '$&' }}|{{ s | replace_last: 'o', '0' }}|{{ s | replace_last: 'z', '0' }}": (
        "Hell$& World|Hello W0rld|Hello World"
    ),
    "{{ s | remove: 'l' }}|{{ s | remove_first: 'l' }}|{{ s | remove_last: 'l' }}": "Heo Word|Helo World|Hello Word",
    "{{ 'abc' | replace_first: '', 'x' }}|{{ 'abc' | replace_last: '', 'x' }}": "xabc|abcx",
    "[{{ ' \ufeffa b ' | strip }}][{{ ' a ' | lstrip }}][{{ ' a ' | rstrip }}]": "[a b][a ][ a]",
    "{{ 'xxaxx' | strip: 'x' }}|{{ 'xya' | lstrip: 'yx' }}|{{ 'axy' | rstrip: 'yx' }}": "a|a|a",
    "[{{ 'aa' | strip: 'a' }}]": "[]",
    "{{ 'a  b \n c' | normalize_whitespace }}|{{ 'a\r\nb\nc' | strip_newlines }}": "a b c|abc",
    "{{ 'a,b,,c,,' | split: ',' | size }}|{{ 'abc' | split | join }}|{{ '' | split: ',' | size }}": "4|a b c|0",
    "{{ s | truncate: 8 }}|{{ s | truncate: 8, '' }}|{{ s | truncate: 1 }}|{{ s | truncate: 11 }}|{{ s | truncate }}": (
        "Hello...|Hello Wo|...|Hello World|Hello World"
    ),
    "{{ s | truncate: '7', '..' }}|{{ s | truncate: 'x' }}|{{ list | truncate: 9 | size }}": "Hello..|...|4",
    "{{ 'a b c' | truncatewords: 2 }}|{{ 'a b c' | truncatewords: 3 }}|{{ 'a b c' | truncatewords: 4, '!' }}": (
        "a b...|a b c...|a b c"
    ),
    "{{ 'a b' | truncatewords: 0 }}|{{ 'a b' | truncatewords: 'x' }}": "a...|",
    "{{ s | number_of_words }}|{{ ' ' | number_of_words }}|{{ '日本 語a b' | number_of_words: 'auto' }}": "2|0|5",
    "{{ 'a b' | number_of_words: 'auto' }}|{{ '日本 a' | number_of_words: 'cjk' }}": "2|3",
    "{{ '' | default: 'd' }}|{{ no | default: 'd' }}|{{ no | default: 'd', allow_false: true }}|{{ 0 | default: 1 }}": (
        "d|d|false|0"
    ),
    "{{ nested[1] | default: 'd' }}|{{ o | default: 'd' }}|{{ nothing | default }}|{{ ' ' | default: 'd' }}": (
        "d|[object Object]|| "
    ),
    "{{ s | raw }}|{{ s | md5 }}": "Hello World|Hello World",
}
NUMBERS = {
    "{{ 1 | plus: '2' }}|{{ 'x' | plus: 1 }}|{{ true | plus: 1 }}|{{ 1 | plus }}|{{ 0.1 | plus: 0.2 }}": (
        "3|1|2|NaN|0.30000000000000004"
    ),
    "{{ 5 | minus: 7 }}|{{ 3 | times: 1.5 }}|{{ -4.5 | abs }}": "-2|4.5|4.5",
    "{{ 3 | divided_by: 2 }}|{{ 3 | divided_by: 2, true }}|{{ 3 | divided_by: 2, 0 }}|{{ 3 | divided_by }}": (
        "1.5|1|1.5|NaN"
    ),
    "{{ 3 | divided_by: 0 }}|{{ -3 | divided_by: 0 }}|{{ 0 | divided_by: 0 }}": "Infinity|-Infinity|NaN",
    "{{ 5 | modulo: 3 }}|{{ -5 | modulo: 3 }}|{{ 5 | modulo: -3 }}|{{ 5 | modulo: 0 }}|{{ 'Infinity' | modulo: 3 }}": (
        "2|1|-1|NaN|NaN"
    ),
    "{{ 1.2 | ceil }}|{{ -1.2 | floor }}|{{ 'Infinity' | floor }}|{{ '-0.5' | ceil }}": "2|-2|Infinity|0",
    "{{ 2.5 | round }}|{{ -2.5 | round }}|{{ 1.005 | round: 2 }}|{{ 1234 | round: -2 }}|{{ 1 | round: 400 }}": (
        "3|-3|1.01|1200|NaN"
    ),
    "{{ 3 | at_least: 5 }}|{{ 3 | at_most: 2, 1 }}|{{ 3 | at_least }}": "5|1|3",
    "{{ '0x10' | to_integer }}|{{ 1.5 | to_integer }}|{{ 'x' | to_integer }}|{{ missing | to_integer }}": (
        "16|1.5|NaN|NaN"
    ),
    "{{ 9007199254740993 | plus: 0 }}|{{ 1000000000000000000000 | times: 1 }}": "9007199254740992|1e+21",
}
LISTS = {
    "{{ list | join }}|{{ list | join: '' }}|{{ nested | join: ';' }}|{{ s | join }}|{{ nothing | join }}": (
        "3 1 x |31x|1,2;|Hello World|"
    ),
    "{{ list | first }}|{{ list | last | json }}|{{ s | first }}|{{ s | last }}|{{ n | first }}|{{ moon | last }}": (
        "3|null|H|d||b"
    ),
    "{{ list | size }}|{{ s | size }}|{{ o | size }}|{{ n | size }}|{{ missing | size }}": "4|11|0|0|0",
    "{{ objects | sum: 'v' }}|{{ list | sum }}|{{ n | sum }}|{{ list | sum: nil }}": "3|4|5|0",
    "{{ list | compact | size }}|{{ list | push: 9 | last }}|{{ list | unshift: 9 | first }}": "3|9|9",
    "{{ list | pop | join }}|{{ list | shift | join }}|{{ s | pop | size }}": "3 1 x|1 x |0",
    "{{ s | slice: 1 }}|{{ s | slice: -3, 2 }}|{{ s | slice: 2, 99 }}|{{ s | slice: -99 }}|{{ s | slice }}": (
        "e|rl|llo World||"
    ),
    "{{ list | slice: 1, 2 | join }}|{{ s | slice: '1', 2 }}|{{ nothing | slice: 1 | size }}": "1 x|ello World|0",
    "{{ objects | where: 'k', 'y' | json }}|{{ objects | where: 'k' | size }}|{{ objects | where: '' | size }}": (
        '[{"k":"y","v":2}]|2|0'
    ),
    "{{ objects | where: 'v', nil | size }}|{{ list | where: 'size', 0 | size }}": "1|4",
}
ENCODING = {
    "{{ html | escape }}": "&lt;p class=&#39;x&#39;&gt;a &amp; b&lt;/p&gt;",
    "{{ '&lt;\"&' | escape_once }}|{{ '&lt;' | xml_escape }}": "&lt;&#34;&amp;|&amp;lt;",
    "{{ html | strip_html }}|{{ 'a<!-- <b> -->c<script>d</script>e<f' | strip_html }}": "a & b|ace<f",
    "{{ '<script>a<b>c' | strip_html }}|{{ '<a' | strip_html }}": "ac|<a",
    '{{ "a b&é!\'()*" | url_encode }}|{{ "a b&é!\'()*" | cgi_escape }}': (
        "a+b%26%C3%A9!'()*|a+b%26%C3%A9%21%27%28%29%2A"
    ),
    "{{ 'http://x/a b?é=[1]#%' | uri_escape }}": "http://x/a%20b?%C3%A9=[1]#%25",
    "{{ 'a+b%2Bc%C3%A9' | url_decode }}": "a b cé",
    "{{ ' Ünï, 日本! ' | slugify }}|{{ 'a.b c' | slugify: 'pretty' }}|{{ 'é b' | slugify: 'ascii' }}": (
        "ünï-日本|a.b-c|b"
    ),
    "{{ 'Àéœß' | slugify: 'latin' }}|{{ ' A  B' | slugify: 'raw', true }}|{{ 'A b' | slugify: 'none' }}": (
        "àeoess|A-B|a b"
    ),
    "{{ 'x' | sha256 | slice: 0, 8 }}|{{ 'x' | hmac_sha256: 'k' | slice: 0, 8 }}": "2d711642|c38edc88",
    "{{ 'é' | base64_encode }}|{{ 'w6k=' | base64_decode }}|{{ 'YW-_Y' | base64_decode | json }}": 'w6k=|é|"ao\ufffd"',
    "{{ o | json }}|{{ list | jsonify }}|{{ missing | json }}|{{ nil | json }}|{{ s | inspect }}": (
        '{"k":"v","deep":{"c":"d"}}|[3,1,"x",null]||{}|"Hello World"'
    ),
    "{{ o | json: 1 }}|{{ nested | json: '--' }}": (
        '{\n "k": "v",\n "deep": {\n  "c": "d"\n }\n}|[\n--[\n----1,\n----[\n------2\n----]\n--],\n--[]\n]'
    ),
    "{{ list | push: missing | json }}|{{ moon[1] | json }}": '[3,1,"x",null,null]|"\\ud83c"',
}
DATES = {
    "{{ date | date }}": "Tuesday, January 2, 2024 at 3:04 am +0000",
    "{{ date | date: '%Y-%m-%dT%H:%M:%S.%LZ %j %U %W %u %w' }}": "2024-01-02T03:04:05.678Z 002 00 00 2 2",
    "{{ date | date: '%a %b %h %e %k %l %I %p %P %y %C %q %s' }}": "Tue Jan Jan  2  3  3 03 AM am 24 20 nd 1704164646",
    "{{ date | date: '%-m|%_d|%^a|%#p|%10Y|%05e|%3N|%N|%Z|%:z|%c|%x|%X' }}": (
        "1| 2|TUE|am|0000002024|00002|678|678000000|UTC|+00:00|1/2/2024, 3:04:05 AM|1/2/2024|3:04:05 AM"
    ),
    "{{ date | date: '%Q%n%t%%%F%' }}|{{ date | date: '' }}": "%Q\n\t%%F%|",
    "{{ 0 | date: '%Y' }}|{{ '86400' | date: '%d' }}|{{ 'x' | date: '%Y' }}|{{ nothing | date: '%Y' }}": "1970|02|x|",
    "{{ true | date: '%L' }}|{{ no | date: '%L' }}|{{ list | date: '%Y' }}": "001|000|31x",
    "{{ 'now' | date: '%s' }}|{{ 'today' | date: '%m' }}": "1718454897|06",
    "{{ -62167219200 | date: '%Y %y %C' }}|{{ -99999999999 | date: '%Y %x' }}|{{ 9e20 | date: '%Y' }}": (
        "0  0|-1199 2/15/1200|"
    ),
    "{{ 0 | date: '%H:%M %z %Z', -330 }}|{{ 0 | date: '%H %z', 90 }}|{{ 0 | date: '%H', nothing }}": (
        "05:30 +0530 +0530|22 -0130|00"
    ),
    "{{ date | date: '%H %z %Z', 'America/New_York' }}|{{ 1720000000 | date: '%H %z', 'Europe/Berlin' }}": (
        "22 -0500 America/New_York|11 +0200"
    ),
    "{{ date | date_to_xmlschema }}|{{ date | date_to_rfc822 }}": (
        "2024-01-02T03:04:05+00:00|Tue, 02 Jan 2024 03:04:05 +0000"
    ),
    "{{ date | date_to_string }}|{{ date | date_to_long_string: 'ordinal' }}|{{ 'x' | date_to_string }}": (
        "02 Jan 2024|2nd January 2024|x"
    ),
    "{{ date | date_to_string: 'ordinal', 'US' }}": "Jan 2nd, 2024",
}
TABLES = (TEXT, NUMBERS, LISTS, ENCODING, DATES)
CASES = dict(chain.from_iterable(table.items() for table in TABLES))


@pytest.mark.parametrize("template", CASES)
def test_filters(template: str) -> None:
    assert rendered(template) == CASES[template]


def test_every_filter_is_in_a_table_or_disabled() -> None:
    shown = " ".join(CASES)
    assert [name for name in FILTERS if f"| {name}" not in shown and name not in {*DISABLED, "sample"}] == []


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ list | sample }}", "3"),
        ("{{ list | sample: 2 | join }}", "3 1"),
        ("{{ s | sample: 2 | join }}", "H e"),
        ("{{ nothing | sample | size }}{{ '' | sample }}", "0"),
    ],
)
def test_a_sample_is_the_first(template: str, text: str) -> None:
    assert rendered(template) == text
