"""Seconds of several ways of doing a thing, taken in turns so that a busy machine slows all of them alike."""

import statistics
import time
from collections.abc import Callable, Mapping


def interleaved(
    ways: Mapping[str, Callable[[], object]], *, repetitions: int
) -> dict[str, tuple[float, ...]]:
    """Seconds per repetition of every way: first all ways once, then all again; no warm-up is left out."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repetitions):
        for name, way in ways.items():
            seconds[name].append(seconds_of(way))
    return {name: tuple(taken) for name, taken in seconds.items()}


def seconds_of(way: Callable[[], object]) -> float:
    """Wall-clock seconds of one call."""
    began = time.perf_counter()
    way()
    return time.perf_counter() - began


def median(seconds: tuple[float, ...]) -> float:
    """The middle one: a single interruption does not move it."""
    return statistics.median(seconds)
