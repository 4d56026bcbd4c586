"""`python -m benchmarks [NAME ...] [--quick] [--markdown] [--out FILE]`: measure, print one table, write one file.

The exit code is 0 whether bars are met or missed: timings belong to a machine, not to a test.
"""

import argparse
import importlib
import os
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.line import Line, Measured, Setting, markdown, table, write_json

# Name -> module with `measure(setting)`. Loaded one after the other, so the first ones run in a small process.
BENCHMARKS = {
    "demo": "benchmarks.demo",
    "secure-round": "benchmarks.secure_round",
    "mask-protocol": "benchmarks.mask_protocol",
    "paillier": "benchmarks.paillier",
    "panel-load": "benchmarks.panel_load",
    "features": "benchmarks.features",
    "neural-fit": "benchmarks.neural_fit",
    "dp-step": "benchmarks.dp_step",
    "accuracy": "benchmarks.accuracy",
    "attribution": "benchmarks.attribution",
    "coverage": "benchmarks.coverage",
    "national": "benchmarks.national",
    "peers": "benchmarks.peers",
    "optimiser": "benchmarks.optimiser",
    "plans": "benchmarks.plans",
    "planning-speed": "benchmarks.planning_speed",
    "model-service": "benchmarks.model_service",
    "federated-attribution": "benchmarks.federated_attribution",
    "local-dp": "benchmarks.local_dp",
    "distributed-dp": "benchmarks.distributed_dp",
    "poisoning": "benchmarks.poisoning",
    "room-upload": "benchmarks.room_upload",
    "room-query": "benchmarks.room_query",
    "room-enclave": "benchmarks.room_enclave",
}
QUIET = {
    "FLWR_TELEMETRY_ENABLED": "0",
    "FLWR_DISABLE_UPDATE_CHECK": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


def main(arguments: list[str] | None = None) -> None:
    """Run what was asked for; everything when nothing was named."""
    asked = _parse(arguments)
    os.environ.update(QUIET)  # before Flower and Ray are imported
    results: list[Measured] = []
    with tempfile.TemporaryDirectory(prefix="mixroom-bench-") as scratch:
        for name in asked.names or BENCHMARKS:
            results.append(run(name, Setting(Path(scratch), asked.quick)))
            write_json(results, asked.out, quick=asked.quick)
    print(markdown(results) if asked.markdown else table(results))
    if asked.quick:
        print("\ntoy sizes: nothing above says whether a bar is met", file=sys.stderr)
    print(f"\nwritten to {asked.out}", file=sys.stderr)


def run(name: str, setting: Setting) -> Measured:
    """One benchmark, with a line on stderr before and after."""
    print(f"benchmarks: {name} ...", file=sys.stderr, flush=True)
    load, began = os.getloadavg()[0], time.perf_counter()
    lines: tuple[Line, ...] = importlib.import_module(BENCHMARKS[name]).measure(setting)
    seconds = time.perf_counter() - began
    print(f"benchmarks: {name} took {seconds:.0f} s", file=sys.stderr, flush=True)
    return Measured(name, lines, seconds, load)


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"all, or any of: {', '.join(BENCHMARKS)}")
    parser.add_argument("--quick", action="store_true", help="toy sizes: does everything still run?")
    parser.add_argument(
        "--markdown", action="store_true", help="print the table as docs/benchmarks.md has it"
    )
    parser.add_argument("--out", type=Path, default=Path("build/benchmarks.json"), help="the file to write")
    asked = parser.parse_args(arguments)
    if unknown := sorted(set(asked.names) - set(BENCHMARKS)):
        parser.error(f"no benchmark {', '.join(unknown)}; there are: {', '.join(BENCHMARKS)}")
    return asked


if __name__ == "__main__":
    main()
