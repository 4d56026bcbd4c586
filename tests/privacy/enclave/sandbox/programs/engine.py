"""A program that needs what the clean room's worker needs: threads, much memory, spilled data, native libraries."""

from __future__ import annotations

import io
import json
import os
from typing import Any

import duckdb
import numpy as np
import opendp.prelude
import pyarrow as pa
import pyarrow.parquet as pq
import scipy.stats

from privacy.enclave.inside import InsideEnclave

ROWS = 6_000_000

if __name__ == "__main__":
    enclave = InsideEnclave.enter()
    enclave.receive()
    if enclave.spill_folder is None:
        enclave.send(json.dumps(None).encode())
        enclave.receive()
    config: dict[str, Any] = {
        "threads": 2,
        "memory_limit": "150MB",
        "temp_directory": f"{enclave.spill_folder}/engine",
    }
    with duckdb.connect(config=config) as engine:
        engine.execute("SET enable_progress_bar = false")
        query = f"SELECT count(*), sum(a) FROM (SELECT a FROM range({ROWS}) AS t(a) ORDER BY hash(a), a)"
        summed = engine.execute(query).fetchall()[0]
        spilled = os.path.isdir(config["temp_directory"])  # made by the engine, for its first spilled block
        file = io.BytesIO()
        pq.write_table(pa.table({"a": np.arange(1000)}), file)
        engine.register("t", pq.read_table(io.BytesIO(file.getvalue())))
        joined = engine.execute("SELECT sum(a) FROM t JOIN range(10) AS r(a) USING (a)").fetchall()[0][0]
    answer = {
        "summed": list(map(int, summed)),
        "spilled": spilled,
        "joined": int(joined),
        "quantile": float(scipy.stats.norm.ppf(0.975)),
        "noise": opendp.prelude.__name__,
    }
    enclave.send(json.dumps(answer).encode())
    enclave.receive()
