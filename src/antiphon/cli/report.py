"""The report of a call as JSON, described in docs/reference/converse.md."""

import os
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec

from ..errors import ConfigurationError
from ..telemetry.cost import Costs
from ..telemetry.latency import PARTS, Latency, ReplyTiming, TurnTiming, summarise
from .screen import measured

__all__ = ["check_place", "report", "write"]


def report(latency: Latency, costs: Costs) -> dict[str, Any]:
    """Return the report of a call as plain data.

    It has each turn, unprompted replies, a summary of latencies, the cost, and failures.
    """
    return {
        "measured": measured(latency.turns),
        "turns": [_turn(turn) for turn in latency.turns],
        "guesses_dropped": latency.guesses_dropped,
        "written_in_vain": latency.written_in_vain,
        "unprompted": [_answer(answer) for answer in latency.unprompted],
        "summary": _summary(latency.turns),
        "cost": _cost(costs),
        "failures": latency.failures,
    }


def check_place(path: Path) -> None:
    """Raise ConfigurationError if a file cannot be written there."""
    place = path if path.exists() else path.parent
    if path.is_dir() or not path.parent.is_dir() or not os.access(place, os.W_OK):
        raise ConfigurationError(f"cannot write {path}; choose another place")


def write(path: Path, content: dict[str, Any]) -> None:
    """Write a report as indented JSON. Raises ConfigurationError if that fails."""
    try:
        path.write_bytes(msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n")
    except OSError as error:
        raise ConfigurationError(f"cannot write {path}: {error.strerror}; choose another place") from error


def _cost(costs: Costs) -> dict[str, Any]:
    """Return what each service consumed, and its cost (None if not known)."""
    services = [
        {
            "part": one.part,
            "port": one.port,
            "vendor": one.vendor,
            "model": one.model,
            "usage": one.usage,
            "usd": None if one.usd is None else round(one.usd, 8),
        }
        for one in costs.services()
    ]
    return {"usd": round(costs.usd, 8), "not_included": costs.unknown, "services": services}


def _turn(turn: TurnTiming) -> dict[str, Any]:
    answer = turn.answer
    marks = [round(mark * 1000) for mark in turn.marks or ()]
    parts = [after - before for before, after in pairwise(marks)]
    return {
        "number": turn.number,
        "user": turn.user,
        "started": round(turn.started, 3),
        "ended": round(turn.ended, 3),
        "measured_from": turn.measured_from,
        "reason": turn.reason,
        "voice_to_voice_ms": sum(parts) if parts else None,
        "saved_ms": round(answer.saved * 1000) if answer else None,
        "parts_ms": dict(zip(PARTS, parts, strict=True)) if parts else None,
        **(_answer(answer) if answer else dict.fromkeys(("said", "heard"), "")),
    }


def _answer(answer: ReplyTiming) -> dict[str, Any]:
    return {
        "said": answer.said,
        "heard": answer.heard,
        "played": None if answer.played is None else round(answer.played, 3),
        "interrupted": answer.interrupted,
        "tools": [
            {
                "name": run.call.name,
                "arguments": run.call.arguments,
                "result": run.result,
                "failed": run.failed,
                "seconds": None if run.ended is None else round(run.ended - run.started, 3),
            }
            for run in answer.tools
        ],
        "failures": answer.failures,
    }


def _summary(turns: Sequence[TurnTiming]) -> dict[str, Any]:
    of = summarise(turns)
    counts = {"turns": len(turns), "answered": of.answered if of else 0}
    if of is None:
        return counts

    def ms(values: dict[str, float]) -> dict[str, int]:
        return {name: round(seconds * 1000) for name, seconds in values.items()}

    return counts | {"median_ms": ms(of.median), "p95_ms": ms(of.p95)}
