"""The privacy statement of a report in words: what is promised to whom, at which cost, and what is not."""

from collections.abc import Iterator

from mmm_models.reporting.number_format import count, decimal, significant
from mmm_models.reporting.report_input import PrivacyBox

Line = tuple[str, str]


def privacy_headline(box: PrivacyBox | None) -> Line:
    """Value and detail of the tile under the headline."""
    if box is None:
        return "one data set", "trained on pooled data"
    silos = f"{box.silos} silos" if box.silos != 1 else "1 silo"
    if box.epsilon is None:
        return "no noise", silos
    return f"ε {decimal(box.epsilon)}", f"δ {significant(box.delta)}; {silos}"


def privacy_lines(box: PrivacyBox) -> tuple[Line, ...]:
    """Label and value, in the order of importance; what does not apply is left out."""
    return tuple((label, value) for label, value in _all_lines(box) if value)


def _all_lines(box: PrivacyBox) -> Iterator[Line]:
    yield "Differential privacy", _promise(box)
    yield "Protected unit", box.unit
    yield "Neighbours", box.neighbours
    yield (
        "Replacing a unit",
        "" if box.epsilon_replace_one is None else f"ε = {decimal(box.epsilon_replace_one)}",
    )
    yield "Colluding silos", _colluding(box)
    yield "Noise", _noise(box)
    yield "Accountant", box.accountant
    yield "Silos", count(box.silos)
    yield "Secure aggregation", box.secure_aggregation


def _promise(box: PrivacyBox) -> str:
    if box.epsilon is None:
        return "None: results and every round's sum depend on the data without noise."
    return f"ε = {decimal(box.epsilon)}, δ = {significant(box.delta)}, over all rounds and released totals"


def _colluding(box: PrivacyBox) -> str:
    """Epsilon by number of silos that work with the coordinator."""
    return ", ".join(f"{silos}: ε = {decimal(epsilon)}" for silos, epsilon in box.colluding)


def _noise(box: PrivacyBox) -> str:
    parts = [box.noise] if box.noise else []
    if box.noise_multiplier is not None:
        parts.append(f"noise multiplier {significant(box.noise_multiplier)}")
    if box.clip_norm is not None:
        parts.append(f"clip norm {significant(box.clip_norm)}")
    return "; ".join(parts)
