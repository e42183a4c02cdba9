"""One notice of every kind, for tests that must not forget a kind."""

from __future__ import annotations

from relay.core import notices as told
from relay.core.event import DeadReason, EntryClass, Lane, StoreSurvey, StreamKey, StreamSurvey
from relay.core.forecast import Breach
from relay.core.notices import Notice, Outcome, Why

PURCHASES = StreamKey("tiktok", EntryClass.CONVERSION)
VIEWS = StreamKey("tiktok", EntryClass.ENGAGEMENT)
NOW_MS = 1_770_000_000_000


def survey(*streams: StreamSurvey, used: int = 1000, limit: int = 0, dead: dict[str, int] | None = None) -> StoreSurvey:
    return StoreSurvey(streams, dead or {}, used, limit, NOW_MS)


def surveyed(*streams: StreamSurvey, gate: str = "closed") -> told.StoreSurveyed:
    return told.StoreSurveyed(
        survey(*streams), {"tiktok": gate}, {"tiktok": 4}, {"tiktok": 12.5}, breaches={"tiktok": Breach(7, 90.0)}
    )


BACKLOG = StreamSurvey(
    PURCHASES,
    owed=30,
    backlog=20,
    leased=10,
    oldest_received_ms=NOW_MS - 90_000,
    value_micros={"USD": 12_500_000, "XTS": 3_000_000, "": 1_000_000},
    books={"accepted": 100, "delivered": 68, "dead:refused": 1},
)
EVERY: list[Notice] = [
    told.EventsReceived("segment", Outcome.ACCEPTED, 3, seconds=0.004),
    told.SenderRefused("segment", Why.BAD_SIGNATURE, 503, NOW_MS - 60_000),
    told.RequestRefused("intake", 503, "unverified", "0123456789abcdef"),
    told.RequestAnswered("intake", 200, "proxy-17"),
    told.ConnectionCut("intake", told.Cut.SLOW_HEAD),
    told.DoorSurveyed(12, 1_000_000, 2_000),
    told.WorthIgnored("segment"),
    told.EntriesDelivered(PURCHASES, Lane.LIVE, (0.2, 7.0)),
    told.EntriesBuried(PURCHASES, DeadReason.REFUSED, 1, 40002, "bad value", "1-0"),
    told.ItemsRemarked("tiktok", "money", 2),
    told.ItemsRemarked("tiktok", "unknown_currency", 1),
    told.EntriesUnmatched(VIEWS, 2),
    told.EntriesReturned(VIEWS, 5, ambiguous=True),
    told.CallAnswered("tiktok", "retry", "50000", 5, 0.3, "request-1", "log-1", "System error"),
    told.GateMoved("tiktok", "closed", "open", "http_502"),
    told.PaceChanged("tiktok", 8, "clean second"),
    told.CallsPaused("tiktok", 16.0, "per_minute"),
    told.LeaseLost(VIEWS, "1-0"),
    told.DeadLettersMoved("tiktok", "requeue", 4, "all reason=refused", {"EUR": 12.5}),
    told.DestinationPaused("tiktok", paused=True),
    told.GateWoken("tiktok", "token"),
    told.MappingReloaded("tiktok", 15),
    told.MappingRefused("tiktok", 2, ("/etc/m.json: Lead: /a has an invalid directive: @bar.", "x: 'Jane Doe'")),
    told.StoreLost("redis_unreachable", "connection refused"),
    told.StoreWarned("eviction", "allkeys-lru throws entries away"),
    told.StoreRestored(2.5),
    told.EmbeddedChanged("died", "exit 1"),
    surveyed(BACKLOG),
    told.LoopLagged(0.01),
    told.ServiceStarted(
        "0.1.0", "all", False, "http://127.0.0.1:8080", "http://127.0.0.1:8081", "a power cut", ("tiktok",)
    ),
    told.ServiceStopping("SIGTERM"),
    told.ServiceStopped(clean=True, seconds=0.5),
    told.TaskCrashed("deliver tiktok", "KeyError"),
    told.TellingFailed("Logs", "GateMoved", "ValueError"),
    told.IncidentOpened("tiktok", "tiktok-1", ("gate",), "http_502"),
    told.IncidentClosed("tiktok", "tiktok-1", 61.5, 100, 99, 1),
    told.EntriesLapsed(VIEWS, 700),
    told.EntriesShed(VIEWS, 250),
    told.EntriesForgotten(VIEWS, 2),
    told.RecordsErased("tiktok", "dead_letters", 2),
    told.PeopleSuppressed(3, on=True),
    told.LettersWeighed("tiktok", 0.85),
    told.RecordsTrimmed("tiktok", "dead_letters", 12),
    told.ArchiveShed(2_000),
    told.ArchiveMissed(3),
    told.ReplayStarted("r1", NOW_MS - 7_200_000, NOW_MS, 500, 1_000, "tiktok"),
    told.ReplayTurned("r1", "paused"),
    told.ReplayEnded("r1", "done", 1_000, 3, 2.5, {"overlap": 4}, {"EUR": 7.5}),
    told.EntriesReplayed(VIEWS, 250),
    told.FailoverStarted("tiktok", NOW_MS - 2_400_000),
    told.FailbackStarted("tiktok", NOW_MS - 2_400_000),
    told.FailbackFinished("tiktok", NOW_MS - 2_400_000, NOW_MS),
]
