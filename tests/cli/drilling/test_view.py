from __future__ import annotations

import io
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from relay.cli.drilling.ledger import Ledger, Promise
from relay.cli.drilling.plan import Look
from relay.cli.drilling.view import BLOCKS, ROWS, audience, block, picture, print_ledger, squeezed


def look(at: float, owed: int, *, up: bool = True) -> Look:
    return Look(at, "TikTok up" if up else "TikTok DOWN", not up, 100, 100, owed, 1.0, "open", 50)


def console(*, terminal: bool) -> tuple[Console, io.StringIO]:
    stream = io.StringIO()
    return Console(file=stream, force_terminal=terminal, width=80, highlight=False, markup=False), stream


LEDGER = Ledger(10, 1, 10, 8, 8, 0, "", 8, 1, 0, 0, 12.5, 0, 40.0, (Promise("resumed after 1.7 s", kept=True),))


def test_plain_lines_come_once_a_second() -> None:
    drawn, stream = console(terminal=False)
    with audience(drawn, quiet=False) as show:
        for number in range(9):
            show(look(number / 2, number * 10, up=number < 4))
    lines = stream.getvalue().splitlines()
    assert len(lines) == 5
    assert "TikTok up" in lines[0]
    assert "TikTok DOWN" in lines[-1]
    assert "owed     80" in lines[-1]


def test_a_quiet_audience_sees_nothing() -> None:
    drawn, stream = console(terminal=False)
    with audience(drawn, quiet=True) as show:
        show(look(0, 1))
    assert stream.getvalue() == ""


def test_a_terminal_shows_the_backlog_as_columns() -> None:
    drawn, stream = console(terminal=True)
    with audience(drawn, quiet=False) as show:
        for number in range(300):
            show(look(number / 2, number, up=number < 100))
    assert "299 │" in stream.getvalue()
    assert "█" in stream.getvalue()


def test_the_picture_is_never_wider_than_asked() -> None:
    drawn, stream = console(terminal=False)
    drawn.print(picture([look(number / 2, number) for number in range(500)], 40))
    rows = [line for line in stream.getvalue().splitlines() if "│" in line]
    assert len(rows) == ROWS
    assert all(len(line) <= 11 + 40 for line in rows)


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=500), st.integers(1, 120))
def test_squeezing_keeps_the_peak(values: list[int], width: int) -> None:
    shown = squeezed(values, width)
    assert len(shown) <= width
    assert max(shown) == max(values)


@given(st.floats(0, ROWS))
def test_a_column_is_as_high_as_its_value(height: float) -> None:
    eighths = sum(BLOCKS.index(block(height, row)) for row in range(1, ROWS + 1))
    assert abs(eighths - height * 8) <= 1


def test_the_ledger_says_the_verdict() -> None:
    drawn, stream = console(terminal=False)
    print_ledger(drawn, LEDGER)
    text = stream.getvalue()
    assert "clean: nothing lost, nothing doubled, promises kept" in text
    assert "kept  resumed after 1.7 s" in text
    assert "longest delay" in text
    assert "unbalanced" not in text


def test_a_broken_promise_and_dead_letters_are_shown() -> None:
    drawn, stream = console(terminal=False)
    ledger = replace(
        LEDGER, dead_letters=2, dead_because="refused: no", promises=(Promise("resumed never", kept=False),)
    )
    print_ledger(drawn, ledger)
    text = stream.getvalue()
    assert "BROKEN  resumed never" in text
    assert "kept, not lost: refused: no" in text
    assert "NOT clean" in text
