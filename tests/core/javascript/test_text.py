from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from relay.core.javascript.text import cut, length, trim, unit_at, utf8, without_space
from relay.core.mapping.json_text import compact, decoded, encoded
from relay.core.mapping.values import UNDEFINED

ANY_TEXT = st.text(st.characters(codec=None))


def test_white_space_is_javascripts() -> None:
    assert trim("\ufeff\u00a0 x\u0085\u001c ") == "x\u0085\u001c"
    assert without_space("a\u2028b\u180e c") == "ab\u180ec"


def test_utf8_joins_halves_and_replaces_lone_ones() -> None:
    assert utf8("\ud83d\ude00") == "😀".encode()
    assert utf8("\ude00\ud83d") == "\ufffd\ufffd".encode()


def test_lengths_count_units() -> None:
    assert length("a😀") == 3
    assert unit_at("a😀", 1) == "\ud83d"
    assert cut("a😀b", 1, 3) == "😀"
    assert cut("a😀b", -2) == "\ude00b"
    assert cut("abc", 2, 1) == cut("a😀b", 2, 1) == ""


@given(ANY_TEXT)
def test_utf8_of_any_text(text: str) -> None:
    utf8(text).decode()


@given(ANY_TEXT)
def test_encoded_texts_decode_to_themselves(text: str) -> None:
    assert utf8(decoded(encoded(text))) == utf8(text)


def test_json_is_compact_and_strict() -> None:
    assert (
        encoded({"b": [1.0, None, UNDEFINED, 1e21], "a": UNDEFINED, "1": "\ud83d"})
        == '{"1":"\\ud83d","b":[1,null,null,1e+21]}'
    )
    assert encoded(UNDEFINED) is UNDEFINED
    assert encoded(float("inf")) == "null"
    assert decoded('{"b":1,"0":2,"b":3}') == {"0": 2, "b": 3}
    assert list(decoded('{"b":1,"0":2}')) == ["0", "b"]
    assert decoded("[1,]") == "[1,]"
    assert decoded("NaN") == "NaN"
    assert decoded("[" * 100_000) == "[" * 100_000
    assert decoded(5) == 5


def test_what_is_sent_takes_numbers_past_64_bits_and_lone_surrogates() -> None:
    assert compact({"a": 10**20, "b": "\ud83d"}) == b'{"a":100000000000000000000,"b":"\\ud83d"}'
    assert compact([5, 2**64, "é"]) == '[5,18446744073709552000,"é"]'.encode()
    assert compact({"\ud83d": "ü"}) == '{"\\ud83d":"ü"}'.encode()
    assert compact({"a": "ü"}) == '{"a":"ü"}'.encode()
