"""Which flags of `mixroom train` go together; what does not names the right one. Raises UsageError."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mixroom.errors import UsageError
from mixroom.output import say
from mmm_models.peers.registry import NEURAL, ModelUnknown, require_family

FEWEST_MASKED = 3


def require_whole_privacy(privacy: str, epsilon: float, delta: float) -> None:
    """Noise needs both numbers, and both need noise."""
    missing = [
        flag
        for flag, value in (("--epsilon", epsilon), ("--delta", delta))
        if privacy != "none" and not value
    ]
    if missing:
        raise UsageError(
            f"--privacy {privacy} needs {' and '.join(missing)}",
            hint="for example --epsilon 8 --delta 1e-4; delta well below one over the number of units",
        )
    given = [flag for flag, value in (("--epsilon", epsilon), ("--delta", delta)) if value]
    if privacy == "none" and given:
        verb = "needs" if len(given) == 1 else "need"
        raise UsageError(
            f"{' and '.join(given)} {verb} noise", hint="add --privacy distributed or --privacy local"
        )


def require_known_models(names: Sequence[str]) -> None:
    """Every name is that of a family of models, and stands once."""
    for name in names:
        try:
            require_family(name)
        except ModelUnknown as error:
            raise UsageError(str(error), hint=error.hint) from error
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(f"--model {', '.join(twice)} is named twice", hint="name each once")


def require_neural(model: str, given: Mapping[str, bool]) -> None:
    """Flags that only the neural MMM understands; `given` says which were used."""
    used = [flag for flag, is_given in given.items() if is_given]
    if used and model != NEURAL:
        raise UsageError(
            f"{' and '.join(used)} {'needs' if len(used) == 1 else 'need'} --model {NEURAL}",
            hint=f"leave {'it' if len(used) == 1 else 'them'} out, or leave --model out",
        )


def aggregation_for(files: tuple[Path, ...], asked: str | None) -> str:
    """What was asked for, else masks; a single silo has nobody to hide its sums among, and nobody to hide them from."""
    if asked is None and len(files) == 1:
        say("one silo: its sums need no masks")
        return "none"
    if asked != "none" and len(files) < FEWEST_MASKED:
        named = "1 was" if len(files) == 1 else f"{len(files)} were"
        raise UsageError(
            f"--secure-aggregation {asked or 'masks'} needs at least {FEWEST_MASKED} silos, {named} named",
            hint="name more silo files, or let the coordinator see every silo's sums: --secure-aggregation none",
        )
    return asked or "masks"


def enclave_for(files: tuple[Path, ...], *, asked: bool) -> bool:
    """An enclave opens sums of three silos or more: in one of two, each subtracts its own and has the other's."""
    if asked and len(files) < FEWEST_MASKED:
        named = "1 was" if len(files) == 1 else f"{len(files)} were"
        raise UsageError(
            f"--enclave needs at least {FEWEST_MASKED} silos, {named} named",
            hint="name more silo files, or leave --enclave out",
        )
    return asked


def more_settings(more: list[str], flags: dict[str, Any]) -> dict[str, str]:
    """`--set key=value` as settings; a key that has a flag of its own, or that nobody knows, names the right one."""
    from mmm_models.intake.nearest_name import nearest_name
    from server.settings import RunSettings

    found, known = {}, RunSettings().to_run_config()
    for item in more:
        key, equals, value = item.partition("=")
        if not equals or not key:
            raise UsageError(f"--set {item} is not KEY=VALUE", hint="for example --set clip-norm=2")
        if key in flags:
            raise UsageError(f"--set {key} has a flag of its own", hint=f"use --{key}")
        if key not in known:
            nearest = nearest_name(key, known)
            hint = f"did you mean {nearest}?" if nearest else "docs/settings.md lists them"
            raise UsageError(f"there is no setting {key}", hint=hint)
        found[key] = value
    return found
