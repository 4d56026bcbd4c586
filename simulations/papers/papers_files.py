"""What `mixroom lab papers` leaves on disk: everything measured (JSON, CSV), a page (Markdown), a picture."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict
from pathlib import Path

from mmm_models.reporting.plain_json import nan_to_null
from simulations.papers.claims import CLAIMS, Reading, in_words, verdict_of
from simulations.papers.papers_figure import papers_figure
from simulations.papers.reproduction import PapersSettings, Reproduction

JSON, CSV, PAGE, PICTURE = "papers.json", "papers.csv", "papers.md", "papers.svg"
COLUMNS = (
    "claim",
    "published",
    "setting",
    "unit",
    "mean",
    "lowest",
    "highest",
    "values",
    "judged",
    "reproduced",
)
HEADER = ("claim", "published", "setting", "ours", "range", "reproduced")


def write_papers(found: Reproduction, settings: PapersSettings, out: Path) -> Path:
    """Write all files into `out`, replacing earlier ones. The page's path."""
    out.mkdir(parents=True, exist_ok=True)
    content = {
        "format": "mixroom-papers/1",
        "settings": asdict(settings),
        "readings": [_plain(reading) for reading in found.ordered],
        "fits": [asdict(fit) for fit in found.fits],
    }
    (out / JSON).write_text(
        json.dumps(nan_to_null(content), indent=1, allow_nan=False) + "\n", encoding="utf-8"
    )
    _write_csv(found, out / CSV)
    figure = papers_figure(found.fits)
    (out / PICTURE).write_text(figure.svg, encoding="utf-8")
    parts = (
        "# Published results, reproduced",
        markdown(found),
        f"![{figure.insight}]({PICTURE})",
        figure.how_to_read,
    )
    (out / PAGE).write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    return out / PAGE


def rows(found: Reproduction) -> list[list[str]]:
    """One row a reading in words, under `HEADER`; a claim stands in the first of its rows only."""
    texts, last = [], ""
    for reading in found.ordered:
        claim, is_new = CLAIMS[reading.claim], reading.claim != last
        last = reading.claim
        low, high = (in_words(value, claim.unit) for value in (reading.lowest, reading.highest))
        texts.append(
            [
                claim.text if is_new else "",
                claim.published if is_new else "",
                reading.setting,
                in_words(reading.mean, claim.unit),
                f"{low} to {high}" if len(reading.values) > 1 else "",
                reading.verdict or "",
            ]
        )
    return texts


def markdown(found: Reproduction) -> str:
    """The same as a table for docs/papers.md."""
    lines = ["| " + " | ".join(row) + " |" for row in (list(HEADER), *rows(found))]
    return "\n".join([lines[0], "|---" * len(HEADER) + "|", *lines[1:]])


def summary(found: Reproduction) -> dict[str, str]:
    """Each measured claim and whether it came out over all its judged readings."""
    verdicts = {name: verdict_of(found.of(name)) for name in CLAIMS}
    return {CLAIMS[name].text: verdict.value for name, verdict in verdicts.items() if verdict}


def _plain(reading: Reading) -> dict[str, object]:
    claim = CLAIMS[reading.claim]
    return {
        "claim": reading.claim,
        "text": claim.text,
        "published": claim.published,
        "setting": reading.setting,
        "unit": claim.unit.value,
        "mean": reading.mean,
        "lowest": reading.lowest,
        "highest": reading.highest,
        "values": reading.values,
        "judged": reading.judged,
        "reproduced": reading.verdict,
    }


def _write_csv(found: Reproduction, path: Path) -> None:
    """One row a reading; values of seeds are separated by spaces."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for reading in found.ordered:
            row = _plain(reading)
            row["values"] = " ".join(map(str, reading.values))
            writer.writerow(["" if row[name] is None else row[name] for name in COLUMNS])
