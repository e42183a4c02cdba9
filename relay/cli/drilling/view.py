"""What the audience sees: a live picture on a terminal, plain lines elsewhere, and the ledger at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from relay.cli.drawing import duration, number, table
from relay.cli.drilling.ledger import Ledger
from relay.cli.drilling.plan import Look

BLOCKS = " ▁▂▃▄▅▆▇█"
ROWS = 8
PLAIN_EVERY = 1.0


@contextmanager
def audience(console: Console, *, quiet: bool) -> Iterator[Callable[[Look], None]]:
    """Yields what to call with each look."""
    if quiet:
        yield lambda _look: None
    elif console.is_terminal:
        looks: list[Look] = []
        with Live(console=console, refresh_per_second=4, transient=False) as live:

            def draw(look: Look) -> None:
                looks.append(look)
                live.update(picture(looks, max(20, console.width - 12)))

            yield draw
    else:
        yield plain_lines(console)


def plain_lines(console: Console) -> Callable[[Look], None]:
    """A line a second."""
    due = 0.0

    def line(look: Look) -> None:
        nonlocal due
        if look.at >= due:
            due = look.at + PLAIN_EVERY * 0.9
            console.print(line_of(look))

    return line


def line_of(look: Look) -> str:
    """One look in words."""
    figures = f"accepted {look.accepted:>6}  owed {look.owed:>6}  counted {look.counted:>6}"
    return f"{look.at:5.1f}s  {look.scene:<11}  gate {look.gate:<8} {figures}"


def picture(looks: Sequence[Look], width: int) -> Group:
    """The backlog over time as columns, red while there is trouble, and the situation under it."""
    shown = squeezed([look.owed for look in looks], width)
    trouble = squeezed([int(look.ill) for look in looks], width)
    top = max(*shown, 1)
    lines = []
    for row in range(ROWS, 0, -1):
        line = Text(f"{number(top) if row == ROWS else '':>9} │")
        for owed, ill in zip(shown, trouble, strict=True):
            line.append(block(owed / top * ROWS, row), style="red" if ill else "green")
        lines.append(line)
    floor = Text(" " * 9 + " └" + "─" * len(shown))
    return Group("owed to TikTok (red: trouble)", *lines, floor, line_of(looks[-1]))


def squeezed(values: Sequence[int], width: int) -> list[int]:
    """At most ``width`` columns; each shows the highest of the looks it stands for."""
    step = -(-len(values) // width)
    return [max(values[at : at + step]) for at in range(0, len(values), step)]


def block(height: float, row: int) -> str:
    """The part of a column of ``height`` rows that is in ``row`` (1 is the lowest), in eighths."""
    filled = min(max(height - (row - 1), 0.0), 1.0)
    return BLOCKS[round(filled * 8)]


def print_ledger(console: Console, ledger: Ledger) -> None:
    """The end."""
    rows = [
        ("sent", number(ledger.sent), f"and {number(ledger.repeated)} of them once more, as Segment does"),
        ("accepted", number(ledger.accepted), "answered 200: from here on the relay owes them"),
        ("wanted by TikTok", number(ledger.wanted), "the rest matches no subscription"),
        ("delivered", number(ledger.delivered), "according to the relay's books"),
        ("dead letters", number(ledger.dead_letters), ledger.dead_because and f"kept, not lost: {ledger.dead_because}"),
        ("counted by TikTok", number(ledger.counted), "items, by the simulator's own books"),
        ("repeats removed", number(ledger.removed_repeats), "by TikTok, because they carry the same event_id"),
        ("lost", number(ledger.lost), "must be 0"),
        ("doubled", number(ledger.doubled), "must be 0"),
        ("longest delay", duration(ledger.longest_delay), "oldest entry that was seen waiting"),
    ]
    if ledger.unbalanced:
        rows.append(("unbalanced", number(ledger.unbalanced), "the relay's books do not add up"))
    rows += [("promise", "kept" if promise.kept else "BROKEN", promise.said) for promise in ledger.promises]
    console.print(table("", ("ledger", "", ""), rows, frozenset()))
    verdict = "clean: nothing lost, nothing doubled, promises kept" if ledger.clean else "NOT clean"
    console.print(f"{verdict}, in {ledger.seconds:.0f} s")
