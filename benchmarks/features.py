"""Engineered features over four million records: what one is, and which columns are built, stand in the lines.

A record is one unit in one week with the media of five channels. Compared with its limit only.
"""

from benchmarks.line import Bar, Line, Setting
from benchmarks.stopwatch import median
from simulations.papers.feature_timing import RECORDS, FeatureTiming, time_features

SECONDS = Bar(2.0)
REPETITIONS = 5


def measure(setting: Setting) -> tuple[Line, ...]:
    """The middle one of several builds; the media stand in memory, in single precision."""
    found = time_features(RECORDS // 100 if setting.quick else RECORDS, repetitions=REPETITIONS)
    return (_line(found),)


def _line(found: FeatureTiming) -> Line:
    what = f"{found.records:,} records, {found.columns} features each"
    return Line(what, median(found.seconds), "s", SECONDS, found.seconds)
