"""Made-up outages, walked through look by look with the same rules that the relay follows."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from relay.core.event import JsonObject
from relay.core.incident import GATE, Incident, Look, Patience, Standing, Vigil, closed, opened, sampled, watched
from relay.core.incident_log import DELAY_BOUNDS_S, Answers, Happening, LogEntry, Part
from relay.core.report.figures import document

START_MS = 1_769_990_400_000 + 34_500_000  # 2026-02-02 09:35 UTC
MINUTE_MS = 60_000


@dataclass
class Outage:
    """An incident being written."""

    minutes: int
    rate: int  # events a minute
    back: int  # the minute in which TikTok is back
    drain: int = 0  # entries a minute while draining
    destination: str = "tiktok"
    away: range = range(0)  # minutes without Redis
    dead: Sequence[tuple[int, str, int]] = ()  # minute, reason, entries
    seed: int = 7
    log: list[LogEntry] = field(default_factory=list)
    books: Counter[str] = field(default_factory=lambda: Counter(accepted=90_000, delivered=89_988))

    def play(self) -> tuple[Incident, list[LogEntry]]:
        """From the first minute to the last; closed unless something is still owed."""
        self.dice, self.owed, self.doubt = random.Random(self.seed), 12, 0
        patience = Patience()
        incident = opened(
            self.destination, 3, self.look(0), (GATE,), patience, since_ms=START_MS - 400, reason="http_502"
        )
        incident = replace(incident, version=1)
        self.happened(0, "gate", before="closed", after="open", detail="http_502")
        vigil = Vigil()
        for minute in range(1, self.minutes + 1):
            self.minute(minute)
            look = self.look(minute)
            vigil = watched(vigil, look, incident)
            if minute in self.away:
                continue
            if minute == self.minutes and not self.owed:
                incident, sample = closed(incident, vigil, look)
            else:
                incident, sample = sampled(incident, vigil, look, (GATE,))
            incident = replace(incident, version=incident.version + 1)
            self.log.append(sample)
        return incident, self.log

    def look(self, minute: int) -> Look:
        at_ms = START_MS + minute * MINUTE_MS
        value = {"USD": self.owed * 21_350_000, "EUR": self.owed * 4_100_000}
        gate = "open" if minute < self.back else "closed"
        oldest = at_ms - min(minute, 1 + self.owed // self.rate) * MINUTE_MS if self.owed else None
        return Look(Standing(at_ms, self.owed, value, dict(self.books)), gate, max(0, self.owed - 5), oldest)

    def minute(self, minute: int) -> None:
        arrived = max(0, int(self.rate * self.dice.uniform(0.8, 1.2)))
        self.books["accepted"] += arrived
        self.owed += arrived
        for at, reason, count in self.dead:
            if at == minute:
                self.books[f"dead:{reason}"] += count
                self.owed -= count
        at_ms = START_MS + minute * MINUTE_MS
        if minute < self.back:
            self.fail(minute, at_ms)
            return
        if minute == self.back:
            self.happened(minute, "gate", before="open", after="probing")
            self.happened(minute, "gate", before="probing", after="closed", detail="0")
        delivered = min(self.owed, self.drain or self.owed)
        self.deliver(minute, at_ms, delivered)

    def fail(self, minute: int, at_ms: int) -> None:
        self.happened(minute, "gate", before="open", after="probing")
        self.happened(minute, "gate", before="probing", after="open", detail="http_502" if minute % 9 else "timeout")
        code = "http_502" if minute % 9 else "timeout"
        ids = (f"2026020209{minute:06d}ABCDEF",) if code == "http_502" else ()
        answers = {code: Answers(1, "retry", at_ms, at_ms, "Bad Gateway" if ids else "", ids)}
        self.log.append(Part(f"r1-{minute}", at_ms, answers=answers))

    def deliver(self, minute: int, at_ms: int, delivered: int) -> None:
        self.books["delivered"] += delivered
        self.owed -= delivered
        late = min(delivered, max(0, self.owed + delivered - self.rate))
        delays = [0] * (len(DELAY_BOUNDS_S) + 1)
        age_s = max(0.4, min(minute, self.owed / self.rate + late / self.rate) * 60)
        delays[sum(bound < age_s for bound in DELAY_BOUNDS_S)] += late
        delays[0] += delivered - late
        bought, viewed = delivered // 5, delivered - delivered // 5 - delivered // 8
        sold = {
            "CompletePayment": {
                "USD": (bought - bought // 6, (bought - bought // 6) * 61_330_000),
                "EUR": (bought // 6, bought // 6 * 48_900_000),
            },
            "AddToCart": {"USD": (delivered // 8, delivered // 8 * 30_100_000)},
            "ViewContent": {"": (viewed - bought, 0)},
        }
        self.log.append(Part(f"r1-{minute}", at_ms, delivered, tuple(delays), age_s if late else 0.4, sold))

    def happened(self, minute: int, what: str, **more: Any) -> None:
        at_ms = START_MS + minute * MINUTE_MS
        self.log.append(Happening(f"h-{minute}-{len(self.log)}", at_ms, what, **more))


def january() -> JsonObject:
    """22 hours, as in January 2026: drained in 50 minutes; Redis away for a while; some letters."""
    outage = Outage(1375, 300, 1320, 11_000, away=range(700, 730), dead=((1330, "expired", 40), (1340, "refused", 3)))
    outage.happened(64, "pause")
    outage.happened(71, "resume")
    incident, log = outage.play()
    log.append(Happening("x1", START_MS + 700 * MINUTE_MS, "store", after="lost", detail="redis_unreachable"))
    log.append(Happening("x2", START_MS + 729 * MINUTE_MS, "store", after="restored"))
    log.append(Happening("x3", START_MS + 1341 * MINUTE_MS, "requeue", count=3))
    log.append(Part("x4", START_MS + 1341 * MINUTE_MS, buried={"expired": {"USD": 812_500_000}}))
    return document(incident, log, START_MS + 1400 * MINUTE_MS)


def short() -> JsonObject:
    """Four minutes, nothing went wrong besides."""
    incident, log = Outage(6, 1200, 4, destination="shop-eu").play()
    return document(incident, log, START_MS + 10 * MINUTE_MS)


def ongoing() -> JsonObject:
    """Still open after two and a half hours."""
    incident, log = Outage(150, 900, 999).play()
    return document(incident, log, START_MS + 151 * MINUTE_MS)
