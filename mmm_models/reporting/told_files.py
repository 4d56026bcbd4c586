"""An explanation on disk: `explanation.json`, and for every figure a picture and the table behind it."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mmm_models.explaining.explanation import Explanation
from mmm_models.explaining.words import insight, sentences
from mmm_models.reporting.health import HealthCheck
from mmm_models.reporting.plain_json import nan_to_null
from mmm_models.reporting.result_files import write_whole
from mmm_models.reporting.table_facts import facts_table
from mmm_models.reporting.table_file import table_csv
from mmm_models.reporting.told_figures import told_figures

FORMAT = "mixroom-explanation/1"


def told_json(told: Explanation, checks: tuple[HealthCheck, ...]) -> dict[str, Any]:
    """Every field by its name, with the sentences and the checks; what is not a number is null."""
    words = {fact.channel: list(sentences(fact, told)) for fact in told.channels}
    content = {"format": FORMAT, "insight": insight(told), "sentences": words, **asdict(told)}
    found: dict[str, Any] = nan_to_null({**content, "checks": [asdict(check) for check in checks]})
    return found


def write_told(told: Explanation, checks: tuple[HealthCheck, ...], directory: Path) -> tuple[Path, ...]:
    """Write each file, whole or not at all; the JSON file, which holds everything, last."""
    directory.mkdir(parents=True, exist_ok=True)
    texts = {"channels.csv": table_csv(facts_table(told))}
    for name, figure in told_figures(told).items():
        texts[f"{name}.svg"], texts[f"{name}.csv"] = figure.svg, table_csv(figure.table)
    content = json.dumps(told_json(told, checks), indent=1, ensure_ascii=False, allow_nan=False)
    texts["explanation.json"] = content + "\n"
    for name, text in texts.items():
        write_whole(directory / name, text)
    return tuple(directory / name for name in texts)
