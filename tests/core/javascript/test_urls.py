from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core.javascript.urls import query_value

FOUND = {
    "https://x.example/?ttclid=E.C.P": "E.C.P",
    "https://x.example?a=1&ttclid=2&ttclid=3#x?ttclid=4": "2",
    "HTTP:\\\\x.example\\?ttclid=1": "1",
    "  https://x.example/?ttclid=a+b%20c%zz\t\n ": "a b c%zz",
    "https://x.example/?ttclid=%ff": "\ufffd",
    "https://x.example/?%74tclid=1": "1",
    "https://x.example/?tt\ncl\tid=1": "1",
    "https://x.example/?ttclid": "",
    "https://x.example/?ttclid=a=b": "a=b",
    "https://user:p@ss@x.example:65535/?ttclid=1": "1",
    "https://[::1]:80/?ttclid=1": "1",
    "https://1.2.3/?ttclid=1": "1",
    "https://0x7f.1/?ttclid=1": "1",
    "localhost:3000/?ttclid=1": "1",
    "myapp://x?ttclid=1": "1",
    "about:blank?ttclid=1": "1",
    "file:///x?ttclid=1": "1",
    "https://x.example/?ttclid=ü": "ü",
}
NOT_FOUND = [
    "",
    "https://x.example/?a=1",
    "https://x.example/#?ttclid=1",
    "//x.example/?ttclid=1",
    "/path?ttclid=1",
    "x.example/?ttclid=1",
    "https://?ttclid=1",
    "https://x y.example/?ttclid=1",
    "https://x.example:65536/?ttclid=1",
    "https://x.example:8a/?ttclid=1",
    "https://1.2.3.4.5/?ttclid=1",
    "https://1.2.3.256/?ttclid=1",
    "https://09.1/?ttclid=1",
    "https://x%23.example/?ttclid=1",
    "https://[::1/?ttclid=1",
    "https://x.example/?TTCLID=1",
]


@pytest.mark.parametrize(("url", "value"), FOUND.items())
def test_found(url: str, value: str) -> None:
    assert query_value(url, "ttclid") == value


@pytest.mark.parametrize("url", NOT_FOUND)
def test_not_found(url: str) -> None:
    assert query_value(url, "ttclid") is None


@given(st.text(st.characters(codec=None)))
def test_any_text_is_looked_into(text: str) -> None:
    query_value(text, "ttclid")
    query_value(f"https://{text}?ttclid={text}", "ttclid")
