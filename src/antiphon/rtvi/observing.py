"""Observation: the floor and the latency of every turn, for a page or console.

This goes beyond the public protocol: a client that sends the client-message "antiphon.observe" gets
server-messages whose data has a type "antiphon...". Times are float seconds of the session.
"""

from collections.abc import Callable
from itertools import accumulate
from typing import Any

from ..frames import (
    Failed,
    FalseInterruption,
    Interrupted,
    PlayoutStarted,
    ReplyEnded,
    ToolEnded,
    ToolStarted,
    Transcript,
    UserTurn,
)
from ..processor import SessionPort
from ..telemetry.latency import Latency, ReplyTiming, TurnTiming, summarise
from ..turns.floor import State

__all__ = ["OBSERVE", "Observation"]

OBSERVE = "antiphon.observe"
NEWEST, LONGEST = 50, 40_000  # turns in the first answer, and its characters, at most
DIGITS = 4

FLOOR: dict[State, tuple[str, str]] = {
    State.LISTENING: ("nobody", "listening"),
    State.SPEAKING: ("user", "speaking"),
    State.ENDING: ("user", "ending"),
    State.REPLYING: ("agent", ""),
    State.SUSPECTING: ("both", ""),
    State.OVERLAPPING: ("both", ""),
    State.JUDGING: ("both", ""),
}
"""Who has the floor, and the detail; if that is "", it depends on what the agent does."""


class Observation:
    """An observer that reports one session to an observing client.

    `tell` sends the data of a server-message; `floor` returns the floor's state, None without turn taking.
    """

    def __init__(
        self,
        session: SessionPort,
        latency: Latency,
        tell: Callable[[dict[str, Any]], None],
        floor: Callable[[], State | None],
    ) -> None:
        self.asked = False
        """True once the client has asked to observe."""
        self._session = session
        self._latency = latency
        self._tell = tell
        self._floor_state = floor
        self._floor = ("nobody", "listening")
        self._reason = ""

    def answer(self, agent: str) -> dict[str, Any]:
        """Begin to report; returns the session so far, to answer "antiphon.observe"."""
        self.asked = True
        self._floor = state, detail = self._now()
        return {
            "agent": agent,
            "turns": _newest([self._turn(turn) for turn in self._latency.turns[-NEWEST:]], LONGEST),
            "unprompted": _newest(
                [self._answer(answer) for answer in self._latency.unprompted[-NEWEST:]], LONGEST // 4
            ),
            "floor": {"state": state, "detail": detail, "at": self._session.now},
            "summary": self._summary(),
        }

    def saw(self, now: float, source: str, what: Any, is_input: bool) -> None:
        """Record what happened, and report it if the client observes."""
        self._latency.saw(now, source, what, is_input)
        match what:
            case UserTurn(reason=reason) | Interrupted(reason=reason):
                self._reason = reason
            case Transcript() if (turn := self._latency.worded) is not None:
                self._send({"type": "antiphon.turn", **self._turn(turn)})
            case FalseInterruption(kind=kind, text=text):
                self._reason = kind
                self._send({"type": "antiphon.false_interruption", "kind": kind, "text": text, "at": now})
            case Failed(part=part, message=message, recovered=False):
                self._send({"type": "antiphon.failed", "part": part, "message": message, "at": now})
            case _:
                pass
        if isinstance(what, PlayoutStarted | ToolStarted | ToolEnded | ReplyEnded):
            self._reply_changed(what.reply, over=isinstance(what, ReplyEnded))

    @property
    def needs_polling(self) -> bool:
        """True while the floor may change without a frame or signal."""
        return self.asked and self._floor[0] in ("user", "both")

    @property
    def changed(self) -> bool:
        """True if `poll` has something to report."""
        return self.asked and self._now() != self._floor

    def poll(self) -> None:
        """Report who has the floor, if that has changed."""
        floor = self._now()
        if floor != self._floor:
            self._floor = floor
            reason, self._reason = self._reason, ""
            state, detail = floor
            at = self._session.now
            self._send(
                {"type": "antiphon.floor", "state": state, "detail": detail, "reason": reason, "at": at}
            )

    def _now(self) -> tuple[str, str]:
        """Return who has the floor, and the detail."""
        state, reply = self._floor_state(), self._session.reply
        if state is None:
            state = State.LISTENING if reply is None or reply.speculative else State.REPLYING
        who, what = FLOOR[state]
        if what:
            return who, what
        playout = self._session.playout
        if playout is None or reply is None:
            return who, "thinking"
        voiced = playout.progress(reply)[0] > 0 or playout.plays
        return who, "held" if voiced and playout.paused else "talking" if voiced else "thinking"

    def _reply_changed(self, reply: int, *, over: bool) -> None:
        if not self.asked:
            return
        if (turn := self._latency.turn_of(reply)) is not None:
            self._send({"type": "antiphon.turn", **self._turn(turn)})
        elif over and (answer := self._latency.answer(reply)) in self._latency.unprompted and answer:
            self._send({"type": "antiphon.unprompted", **self._answer(answer)})

    def _send(self, data: dict[str, Any]) -> None:
        if self.asked:
            self._tell(data)

    def _turn(self, turn: TurnTiming) -> dict[str, Any]:
        answer, took, parts = turn.answer, turn.voice_to_voice, turn.parts
        told: dict[str, Any] = {
            "number": turn.number,
            "user": turn.user,
            "started": round(turn.started, DIGITS),
            "ended": round(turn.ended, DIGITS),
            "reason": turn.reason,
            "voice_to_voice": None if took is None else round(took, DIGITS),
            "parts": parts and {part: round(seconds, DIGITS) for part, seconds in parts.items()},
            "saved": round(answer.saved, DIGITS) if answer else 0.0,
        }
        return told | (self._answer(answer) if answer else dict(NOT_ANSWERED))

    def _answer(self, answer: ReplyTiming) -> dict[str, Any]:
        reply = self._session.reply
        current = reply if reply is not None and reply.number == answer.reply else None
        return {
            "reply": answer.reply,
            "said": answer.said or (current.text if current else ""),
            "heard": answer.heard,
            "interrupted": answer.interrupted,
            "interrupted_reason": answer.reason if answer.interrupted else "",
            "tools": [
                {
                    "name": run.call.name,
                    "seconds": None if run.ended is None else round(run.ended - run.started, DIGITS),
                    "failed": run.failed,
                }
                for run in answer.tools
            ],
            "failures": answer.failures,
        }

    def _summary(self) -> dict[str, Any] | None:
        summary = summarise(self._latency.turns)
        return summary and {
            "answered": summary.answered,
            "median": {part: round(seconds, DIGITS) for part, seconds in summary.median.items()},
            "p95": {part: round(seconds, DIGITS) for part, seconds in summary.p95.items()},
        }


def _newest(told: list[dict[str, Any]], longest: int) -> list[dict[str, Any]]:
    """Return the last items, as many as fit into `longest` characters."""
    sizes = accumulate(len(str(item)) for item in reversed(told))
    return told[len(told) - sum(size <= longest for size in sizes) :]


NOT_ANSWERED: dict[str, Any] = {
    "reply": None,
    "said": "",
    "heard": "",
    "interrupted": False,
    "interrupted_reason": "",
    "tools": [],
    "failures": [],
}
