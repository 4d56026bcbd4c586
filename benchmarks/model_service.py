"""What-if questions over HTTP: a real service in a process of its own, eight clients that ask at the same time.

Every client asks its next question as soon as it has an answer, over one connection, so eight questions are always
under way; clients and service share this machine's cores. No question is asked twice.
"""

import http.client
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from benchmarks.line import Bar, Line, Setting
from benchmarks.planned_run import planned_run, questions
from mmm_models.planning.stored_basis import load_basis

CLIENTS, LATENCY = 8, Bar(30.0)


def measure(setting: Setting) -> tuple[Line, ...]:
    """Milliseconds from sending a question to having read its answer."""
    run, count = planned_run(setting), 5 if setting.quick else 150
    channels = load_basis(run).channels
    with running_service(run) as url:
        _asked(url, run.name, channels, 1000, 3)  # opens the run
        alone = _asked(url, run.name, channels, 999, count)
        began = time.perf_counter()
        with ThreadPoolExecutor(CLIENTS) as pool:
            found = pool.map(lambda seed: _asked(url, run.name, channels, seed, count), range(CLIENTS))
            together = [taken for each in found for taken in each]
        rate = len(together) / (time.perf_counter() - began)
    return (
        Line("what-if over HTTP, 1 client, p95", _p95(alone), "ms", values=tuple(alone)),
        Line(f"what-if over HTTP, {CLIENTS} clients, median", float(np.median(together)), "ms"),
        Line(f"what-if over HTTP, {CLIENTS} clients, p95", _p95(together), "ms", LATENCY, tuple(together)),
        Line(f"answers a second, {CLIENTS} clients", rate, "1/s"),
    )


@contextmanager
def running_service(run: Path) -> Iterator[str]:
    """Its URL; `mixroom serve` on a free port, stopped at the end."""
    command = [sys.executable, "-m", "mixroom", "serve", str(run), "--port", "0"]
    service = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert service.stdout is not None
    try:
        url = service.stdout.readline().strip()
        if not url:
            raise RuntimeError(f"the service ended before it listened: exit code {service.wait()}")
        yield url
    finally:
        service.send_signal(signal.SIGTERM)
        service.wait(30)
        service.stdout.close()


def _asked(url: str, run: str, channels: tuple[str, ...], seed: int, count: int) -> list[float]:
    """Milliseconds of each of `count` questions over one connection."""
    place = urlsplit(url)
    assert place.hostname is not None
    connection = http.client.HTTPConnection(place.hostname, place.port)
    taken = []
    for changes in islice(questions(channels, seed), count):
        began = time.perf_counter()
        headers = {"Content-Type": "application/json"}
        connection.request("POST", f"/runs/{run}/what-if", json.dumps({"changes": changes}), headers)
        answer = connection.getresponse()
        body = answer.read()
        taken.append(1000 * (time.perf_counter() - began))
        if answer.status != 200:
            raise RuntimeError(f"the service refused: {body[:300]!r}")
    connection.close()
    return taken


def _p95(milliseconds: list[float]) -> float:
    return float(np.quantile(milliseconds, 0.95))
