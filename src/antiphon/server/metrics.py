"""Metrics for Prometheus, in its text format.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

import time
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping

from ..telemetry.latency import PARTS
from .port import SessionBegan, SessionOver, SessionReport, TurnAnswered

__all__ = ["Metrics"]

BUCKETS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.3, 1.7, 2.5, 5.0)
"""Upper bounds, in seconds, of the buckets of voice-to-voice latency."""
REASONS = (
    *("transferred", "voicemail", "the user was idle", "the provider could not be understood"),
    *("the caller hung up", "the client left", "the client vanished", "the client disconnected the agent"),
    *("nobody came", "the client never connected", "the client does not read", "the offer was refused"),
    *("it could not begin", "failed", "its process", "the server"),
)
"""Prefixes of end reasons that serve as labels; the rest of a reason may contain a phone number."""

Labels = tuple[tuple[str, str], ...]
"""Label names and values. Values come from fixed sets, so that the number of time series is bounded."""


class Metrics:
    """The counters of sessions, turns, latencies and refusals."""

    def __init__(self) -> None:
        self.began: Counter[Labels] = Counter()
        self.ended: Counter[Labels] = Counter()
        self.refused: Counter[Labels] = Counter()
        self.talked = 0.0
        self.usd: defaultdict[Labels, float] = defaultdict(float)
        self.usd_unknown = 0
        """Sessions that used something whose price is not known."""
        self.interrupted = 0
        self.turns = 0
        self.parts: defaultdict[Labels, float] = defaultdict(float)
        self._bucket_counts = [0] * (len(BUCKETS) + 1)
        self._latency_sum = 0.0

    def record(self, report: SessionReport) -> None:
        """Count a report of a session."""
        kind = ("kind", report.kind)
        match report:
            case SessionBegan():
                self.began[(kind,)] += 1
            case TurnAnswered():
                self._record_turn(report)
            case SessionOver(reason=reason, seconds=seconds, usd=usd):
                known = next((one for one in REASONS if reason.startswith(one)), "other")
                self.ended[(kind, ("reason", known))] += 1
                self.talked += seconds
                for port, cost in usd.items():
                    self.usd[(("port", port),)] += cost
                self.usd_unknown += report.usd_unknown

    def record_refusal(self, status: int) -> None:
        """Count an error response, by its HTTP status."""
        self.refused[(("status", str(status)),)] += 1

    def text(self, gauges: Mapping[str, float]) -> str:
        """Return all metrics in Prometheus' text format, `gauges` first."""
        return "".join(f"{line}\n" for line in self._lines(gauges))

    def _record_turn(self, turn: TurnAnswered) -> None:
        self.interrupted += turn.interrupted
        if turn.voice_to_voice is None:
            return
        self.turns += 1
        self._latency_sum += turn.voice_to_voice
        self._bucket_counts[bisect_left(BUCKETS, turn.voice_to_voice)] += 1
        for part in PARTS:
            self.parts[(("part", part),)] += turn.parts.get(part, 0.0)

    def _lines(self, gauges: Mapping[str, float]) -> Iterator[str]:
        for name, value in gauges.items():
            yield from _metric(name, "gauge", [((), value)])
        yield from _metric("sessions_began_total", "counter", self.began.items())
        yield from _metric("sessions_ended_total", "counter", self.ended.items())
        yield from _metric("session_seconds_total", "counter", [((), self.talked)])
        yield from _metric("cost_usd_total", "counter", self.usd.items())
        yield from _metric("cost_unknown_sessions_total", "counter", [((), self.usd_unknown)])
        yield from _metric("refused_total", "counter", self.refused.items())
        yield from _metric("replies_interrupted_total", "counter", [((), self.interrupted)])
        yield from _metric("turn_part_seconds_total", "counter", self.parts.items())
        yield "# TYPE antiphon_voice_to_voice_seconds histogram"
        cumulative = 0
        for end, count in zip((*BUCKETS, "+Inf"), self._bucket_counts, strict=True):
            cumulative += count
            yield f'antiphon_voice_to_voice_seconds_bucket{{le="{end}"}} {cumulative}'
        yield f"antiphon_voice_to_voice_seconds_sum {self._latency_sum:g}"
        yield f"antiphon_voice_to_voice_seconds_count {self.turns}"
        yield from _metric("process_cpu_seconds_total", "counter", [((), time.process_time())])


def _metric(name: str, kind: str, values: Iterable[tuple[Labels, float]]) -> Iterator[str]:
    yield f"# TYPE antiphon_{name} {kind}"
    for labels, value in values:
        written = ",".join(f'{label}="{text}"' for label, text in labels)
        yield f"antiphon_{name}{f'{{{written}}}' if written else ''} {value:g}"
