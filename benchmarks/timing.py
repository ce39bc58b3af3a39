"""Times taken in turns. Other work on the machine slows neighbours in time alike, so ratios are formed pair by pair."""

from __future__ import annotations

import gc
import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

Step = Callable[[], object]


@dataclass(frozen=True)
class Ratio:
    """The median of paired ratios, and a 95 % bootstrap interval of that median."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} [{self.low:.2f}, {self.high:.2f}]"


def in_turns(steps: dict[str, Step], budget_s: float, fewest: int = 5, most: int = 200) -> dict[str, list[float]]:
    """Seconds of each step, round by round; the order turns around each round.

    Two untimed calls come first; as many rounds follow as take `budget_s`, within `fewest` and `most`.
    """
    for step in steps.values():
        step()
    once = sum(seconds(step) for step in steps.values())
    rounds = min(most, max(fewest, round(budget_s / once)))
    times = {name: [] for name in steps}
    gc.collect()
    gc.disable()
    try:
        for turn in range(rounds):
            for name in list(steps)[:: 1 if turn % 2 == 0 else -1]:
                times[name].append(seconds(steps[name]))
    finally:
        gc.enable()
    return times


def seconds(step: Step) -> float:
    _synchronize()
    start = time.perf_counter()
    step()
    _synchronize()
    return time.perf_counter() - start


def ratio(times: dict[str, list[float]], name: str, to: str) -> Ratio:
    pairs = [a / b for a, b in zip(times[name], times[to], strict=True)]
    draw = random.Random(0)
    medians = sorted(statistics.median(draw.choices(pairs, k=len(pairs))) for _ in range(1000))
    return Ratio(statistics.median(pairs), medians[25], medians[974])


def _synchronize() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
