"""``GET|POST /api/replays`` and ``POST /api/replays/{pause|resume|cancel}``: archived events, sent again."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from relay.adapters.web.admin_answers import NO_PATH, Declined, answer, check_destination, iso, misshapen, parsed
from relay.adapters.web.admin_standby import AHEAD_MS, EXAMPLES, parsed_moment
from relay.core.archive import ReplayAsk, ReplayJob, ReplayState
from relay.core.errors import ReplayRefused
from relay.core.event import ArchiveSurvey, JsonObject
from relay.core.replay import Stop, Weighed
from relay.core.report.figures import money
from relay.engine.replay import Replayer
from relay.engine.survey import Survey
from relay.ports import Clock

FASTEST = 5_000
LONGEST_S = 50
TURNS = {"pause": ReplayState.PAUSED, "resume": ReplayState.RUNNING, "cancel": ReplayState.CANCELLED}
NOT_ARCHIVING = (
    "Nothing is archived here, so only dead letters can be sent again (--dead-letters). To keep what is delivered and"
    " filtered from now on, for journal.retention, set journal.archive = true (RELAY_JOURNAL__ARCHIVE=true) and start"
    " again."
)


class Wish(BaseModel):
    """The body. Times of receipt: ISO 8601 (UTC without a zone), or how long ago (``6h``, ``-6h``); no ``until``: now.

    ``dry_run`` only counts, for so many ``seconds`` at most; ``expected`` is what such a run counted, for the record.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    since: str
    until: str = ""
    destination: str = ""
    event: str = ""
    dead_letters: bool = False
    rate: int = Field(500, ge=1, le=FASTEST)
    dry_run: bool = False
    seconds: float = Field(10, gt=0, le=LONGEST_S)
    expected: int = Field(0, ge=0)


class ReplayRoutes:
    """Weighs, begins and turns the replay. ``archives``: whether this relay keeps what ends.

    One that keeps nothing more sends what is still in the archive: that decides, not the setting.
    """

    def __init__(
        self, replayer: Replayer, survey: Survey, destinations: Sequence[str], clock: Clock, *, archives: bool
    ) -> None:
        self._replayer, self._survey, self._destinations, self._clock = replayer, survey, destinations, clock
        self._archives = archives

    def routes(self) -> list[web.RouteDef]:
        """What to add to the application."""
        path = "/api/replays"
        return [web.get(path, self.look), web.post(path, self.begin), web.post(path + "/{turn}", self.turn)]

    async def look(self, _request: web.Request) -> web.Response:
        """The replay under way, or the last one, and what is archived."""
        job = await self._replayer.look()
        return answer({"replay": job_json(job, self._clock.now_ms()) if job else None, "archive": await self._kept()})

    async def begin(self, request: web.Request) -> web.Response:
        """Count, or begin."""
        wish = wished(await request.read())
        ask = asked(wish, self._clock.now_ms())
        if ask.destination:
            check_destination(ask.destination, self._destinations)
        kept = await self._kept()
        if not self._archives and not ask.letters and kept is None:
            raise Declined(409, "not_archiving", NOT_ARCHIVING)
        if wish.dry_run:
            weighed = await self._replayer.weigh(ask, wish.seconds)
            found = ask_json(ask) | weighed_json(weighed, ask)
            return answer({"dry_run": True, **found, "archive": kept, "archiving": self._archives})
        try:
            job = await self._replayer.start(ask, wish.expected)
        except ReplayRefused as refusal:
            raise Declined(409, "replay_running", f"{refusal}.".capitalize()) from None
        return answer({"success": True, "replay": job_json(job, self._clock.now_ms())})

    async def turn(self, request: web.Request) -> web.Response:
        """Pause, resume or cancel; each may be repeated."""
        state = TURNS.get(request.match_info["turn"])
        if state is None:
            raise Declined(404, "not_found", NO_PATH)
        try:
            job, changed = await self._replayer.turn(state)
        except ReplayRefused as refusal:
            raise Declined(409, "replay_refused", f"{refusal}.".capitalize()) from None
        return answer({"success": True, "changed": changed, "replay": job_json(job, self._clock.now_ms())})

    async def _kept(self) -> JsonObject | None:
        await self._survey.look()
        return archive_json(self._survey.latest.survey.archive) if self._survey.latest else None


def wished(body: bytes) -> Wish:
    """The body, or what is wrong with it."""
    try:
        return Wish.model_validate(parsed(body))
    except ValidationError as error:
        raise misshapen(error, Wish.model_fields) from None


def asked(wish: Wish, now_ms: int) -> ReplayAsk:
    """Which events that means."""
    since_ms = moment("since", wish.since, now_ms)
    until_ms = moment("until", wish.until, now_ms) if wish.until else now_ms
    if since_ms >= until_ms:
        raise Declined(400, "bad_window", "since must be before until.")
    return ReplayAsk(since_ms, until_ms, wish.destination, wish.event, wish.dead_letters, wish.rate)


def moment(name: str, given: str, now_ms: int) -> int:
    """A time in milliseconds; a duration means so long ago, with or without a minus."""
    at_ms = parsed_moment(given.strip().removeprefix("-"), now_ms)
    if at_ms is None:
        raise Declined(400, f"bad_{name}", f"{name} is no moment: give {EXAMPLES}.")
    if not 0 <= at_ms <= now_ms + AHEAD_MS:
        raise Declined(400, f"bad_{name}", f"{name} is in the future, or before all time.")
    return min(at_ms, now_ms)


def ask_json(ask: ReplayAsk) -> JsonObject:
    """What was asked for, with times as times."""
    return {
        "since": iso(ask.since_ms),
        "until": iso(ask.until_ms),
        "destination": ask.destination or None,
        "event": ask.event or None,
        "dead_letters": ask.letters,
        "rate": ask.rate,
    }


def weighed_json(weighed: Weighed, ask: ReplayAsk) -> JsonObject:
    """What it would come to; ``complete`` false: time ran out after ``looked`` events."""
    entries = weighed.entries.total()
    return {
        "entries": entries,
        "value": money(weighed.total_micros),
        "destinations": [
            {"name": name, "entries": count, "value": money(weighed.micros.get(name, {}))}
            for name, count in sorted(weighed.entries.items())
        ],
        "left": {str(stop): count for stop, count in weighed.stops.items()},
        "looked": weighed.looked,
        "complete": weighed.complete,
        "estimated_seconds": round(entries / ask.rate, 1),
    }


def job_json(job: ReplayJob, now_ms: int) -> JsonObject:
    """The record of a replay. ``done_in_seconds``: at its pace so far; null when nobody can tell."""
    counts = job.counts
    letters = counts.get("letters", 0)
    moved = counts.get("moved", 0) + letters
    seconds = ((job.ended_ms or now_ms) - job.began_ms) / 1000
    rest = max(0, job.expected - moved)
    running = job.state is ReplayState.RUNNING
    return {
        "id": job.id,
        "state": job.state.value,
        **ask_json(job.ask),
        "began": iso(job.began_ms),
        "ended": iso(job.ended_ms),
        "expected": job.expected or None,
        "moved": moved,
        "dead_letters_moved": letters,
        "duplicates": counts.get("duplicates", 0),
        "left": {stop.value: counts[stop.value] for stop in Stop if counts.get(stop.value)},
        "value": money(job.value_micros),
        "seconds": round(max(0.0, seconds), 1),
        "done_in_seconds": done_in(rest, moved / seconds if seconds > 0 else 0.0, job) if running else None,
        "waiting": (job.waiting or ("" if job.held else "a relay to work on it")) if running else "",
    }


def done_in(rest: int, pace: float, job: ReplayJob) -> float | None:
    """Seconds for the rest at the pace so far."""
    return round(rest / min(pace, job.ask.rate), 1) if pace and job.expected else None


def archive_json(archive: ArchiveSurvey | None) -> JsonObject | None:
    """How much is archived, and since when; null when nothing is kept."""
    if archive is None:
        return None
    events = {klass.value: count for klass, count in archive.events.items()}
    return {"events": events, "bytes": archive.used_bytes, "since": iso(archive.oldest_ms)}
