"""Test vectors of the TikTok sheet section 2.3, and the golden specification's section 8."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from hashlib import sha256

import pytest

from relay.core.tiktok import hashing

HASH = "AB" * 32


def of(text: str) -> str:
    return sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    ("hashed", "expected"),
    [
        (hashing.email("alice_abc@gmail.com"), "848a771458438fc2ec420560d769fb9b9b86851ee338ec56517baabd79d3bb4f"),
        (hashing.phone("+12133734253"), "9f7ec22d72092cd3c0b58726ed9c2d91b92e51a3f29837508fb2948bb22dd2fd"),
        (hashing.external_id("user_123"), "80fba0ae1c48e3978e43e4efc365e14e12ea0c830ba8ba5b9a2dafc7e3f2ab8b"),
        (hashing.name("Jane"), "81f8f6dde88365f3928796ec7aa53f72820b06db8664f5fe76a7eb13e24546a2"),
        (hashing.name("95110"), "383f7fffd99f3b1c3066086bcf991eae7ad543589d12bd792ecb6dc8b5acebc1"),
        (hashing.name("M5V 3L9"), "5c850751d57c5d887fe7807d3da801efe7e8faa1f105ea36cdcd913dd32a41c7"),
    ],
)
def test_vectors(hashed: str, expected: str) -> None:
    assert hashed == expected


@pytest.mark.parametrize("hash_of", [hashing.email, hashing.phone, hashing.name, hashing.idfa, hashing.gaid])
@pytest.mark.parametrize("blank", ["", " ", "\t\ufeff\u3000"])
def test_blanks_are_never_hashed(hash_of: object, blank: str) -> None:
    assert callable(hash_of)
    assert hash_of(blank) == ""


def test_hashes_are_left_alone() -> None:
    assert hashing.email(HASH) == HASH.lower()
    assert hashing.phone(HASH) == HASH
    assert hashing.idfa(HASH) == HASH.lower()
    assert hashing.gaid(HASH) == HASH


def test_what_is_not_trimmed_and_what_is() -> None:
    assert hashing.email(" A@x.example ") == of(" a@x.example ")
    assert hashing.idfa(" Id ") == of("id")
    assert hashing.gaid(" Id ") == of("Id")
    # U+0085 and U+001C are white space to Python, not to JavaScript.
    assert hashing.name("a\u0085b\u001cc d\u00a0") == of("a\u0085b\u001ccd")


def test_phones_keep_fourteen_ascii_digits() -> None:
    assert hashing.phone("tel:+1-415;ext=9") == of("+14159")
    assert hashing.phone("call me") == of("+")
    assert hashing.phone("٣" + "1234567890123456") == of("+12345678901234")


def test_places_keep_ascii_letters_and_digits() -> None:
    assert hashing.place("São Paulo") == "sopaulo"
    assert hashing.place("東京") == ""
    assert hashing.place("St. John's 2") == "stjohns2"
    assert hashing.place("K\u212a") == "k"  # the Kelvin sign lower-cases into ASCII, but is removed first


def test_lone_surrogates_are_replacement_characters() -> None:
    assert hashing.email("a\ud83d") == of("a\ufffd")
    assert hashing.phone("\udc005") == of("+5")
    assert hashing.place("\udc00x") == "x"


@pytest.mark.parametrize("work", [hashing.email, hashing.phone, hashing.name, hashing.place])
def test_long_texts_are_not_remembered(work: Callable[[str], str]) -> None:
    known = inspect.getclosurevars(work).nonlocals["known"]
    known.cache_clear()
    work("1" * 257)
    assert known.cache_info().currsize == 0
    work("1" * 256)
    assert known.cache_info().currsize == 1
