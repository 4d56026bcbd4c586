"""Which silo files a command was given, and what is wrong with their data when a run fails."""

import glob
from collections.abc import Sequence
from pathlib import Path

import typer

from mixroom.errors import DataRefused, UsageError

DATA_ERRORS = ("PanelInvalid", "SourceUnreadable", "SpecInvalid")


def silo_files(given: Sequence[Path]) -> tuple[Path, ...]:
    """Every file named, patterns that the shell left alone included. Raises UsageError; nothing was read."""
    files = [file for path in given for file in _expanded(path)]
    for file in files:
        _require_file(file)
    twice = sorted({str(file) for file in files if files.count(file) > 1})
    if twice:
        raise UsageError(f"{', '.join(twice)} is named twice", hint="name every silo file once")
    return tuple(files)


def require_directory(out: Path) -> None:
    """Raises UsageError when `--out` is a file, before any work is done."""
    if out.exists() and not out.is_dir():
        raise UsageError(f"--out {out} is a file", hint="name a directory; it is made when it is not there")


def refuse_bad_data(files: Sequence[Path], error: Exception, *, again: str) -> None:
    """When `error` comes from the data, print the report of every bad file and raise DataRefused."""
    from mmm_models.intake.panel_report import render_text
    from mmm_models.panel_io import check_silo

    if not any(name in f"{type(error).__name__}: {error}" for name in DATA_ERRORS):
        return
    bad = [report for report in map(check_silo, files) if not report.ok]
    for report in bad:
        typer.echo(render_text(report), err=True)
    if bad:
        raise DataRefused(
            f"{len(bad)} of {len(files)} silo files have problems, listed above: "
            + ", ".join(report.file for report in bad),
            hint=f"repair them (`mixroom silo check {bad[0].file}`), then {again}",
        ) from error


def _expanded(path: Path) -> list[Path]:
    if path.exists() or not glob.has_magic(str(path)):
        return [path]
    found = sorted(glob.glob(str(path)))
    if not found:
        raise UsageError(f"no file matches {path}", hint="check the pattern; silo files end in .toml")
    return [Path(name) for name in found]


def _require_file(file: Path) -> None:
    if file.is_dir():
        raise UsageError(f"{file} is a directory", hint=f"name its silo files: {file}/*.toml")
    if file.suffix in (".csv", ".parquet", ".tsv", ".txt", ".gz"):
        raise UsageError(
            f"{file} is data, not a silo file",
            hint="name the TOML file that describes it (docs/data-format.md)",
        )
    if not file.exists():
        nearest = _nearest(file)
        hint = (
            f"did you mean {nearest}?" if nearest else "check the path; docs/data-format.md shows a silo file"
        )
        raise UsageError(f"silo file {file} does not exist", hint=hint)


def _nearest(file: Path) -> str:
    from mmm_models.intake.nearest_name import nearest_name

    folder = file.parent
    best = nearest_name(file.name, (path.name for path in folder.glob("*.toml"))) if folder.is_dir() else ""
    return str(folder / best) if best else ""
