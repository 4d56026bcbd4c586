"""A run that was refused before it started leaves nothing behind that stands in the next one's way."""

import json
from collections.abc import Sequence
from pathlib import Path


def forget_unstarted(run: Path, files: Sequence[Path]) -> None:
    """Remove the run directory's description if no silo has started or been charged; else `--resume` needs it."""
    description, checkpoints = run / "run.json", run / "checkpoints"
    if not description.exists() or (run / "events.jsonl").exists():
        return
    if _charged(json.loads(description.read_text(encoding="utf-8"))["run_id"], files):
        return
    description.unlink()
    for folder in (checkpoints, run):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def _charged(run_id: str, files: Sequence[Path]) -> bool:
    """Whether any silo's ledger names this run."""
    from clients.silo_home import SiloHome
    from mmm_models.intake.silo_file import read_silo_spec

    homes = (SiloHome.of(read_silo_spec(file)) for file in files)
    return any(charge.run_id == run_id for home in homes for charge in home.ledger.summary().charges)
