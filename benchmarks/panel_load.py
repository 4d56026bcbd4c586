"""Reading and checking every silo file of the default world: 800 stores x 104 weeks, 17 columns of CSV."""

from benchmarks.known_worlds import known_world
from benchmarks.line import Line, Setting
from benchmarks.stopwatch import interleaved, median
from mmm_models.panel_io import load_panel


def measure(setting: Setting) -> tuple[Line, ...]:
    """Median seconds for all silos together."""
    known = known_world(setting, 1)
    megabytes = sum(path.with_suffix(".csv").stat().st_size for path in known.specs) / 1e6
    units = sum(panel.n_units for panel in known.world.panels)
    ways = {"load": lambda: [load_panel(path) for path in known.specs]}
    seconds = interleaved(ways, repetitions=1 if setting.quick else 3)["load"]
    return (
        Line(f"load and check {units} units", median(seconds), "s", values=seconds),
        Line("load and check, throughput", megabytes / median(seconds), "MB/s"),
    )
