from __future__ import annotations

from relay.adapters.observe.telling import Telling
from relay.core.notices import LoopLagged, Notice, TellingFailed


class Heard:
    def __init__(self) -> None:
        self.notices: list[Notice] = []

    def __call__(self, notice: Notice) -> None:
        self.notices.append(notice)


class Broken:
    def __call__(self, notice: Notice) -> None:
        raise KeyError("never in the message: " + repr(notice))


def test_everybody_hears_everything_in_order() -> None:
    one, two = Heard(), Heard()
    tell = Telling([one, two])
    tell(LoopLagged(1.0))
    tell(LoopLagged(2.0))
    assert one.notices == two.notices == [LoopLagged(1.0), LoopLagged(2.0)]
    assert tell.failures == 0


def test_a_broken_reader_stops_nobody_and_is_told() -> None:
    before, after = Heard(), Heard()
    tell = Telling([before, Broken(), after])
    tell(LoopLagged(1.0))
    report = TellingFailed("Broken", "LoopLagged", "KeyError")
    assert before.notices == [LoopLagged(1.0), report]
    assert after.notices == [report, LoopLagged(1.0)]
    assert tell.failures == 1


def test_two_broken_readers_do_not_call_each_other_for_ever() -> None:
    tell = Telling([Broken(), Broken()])
    tell(LoopLagged(1.0))
    assert tell.failures == 4
