"""Public holidays of a country, by week and as one more control of a panel."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mmm_models.errors import ModelError
from mmm_models.panel import DAYS_PER_WEEK, Panel

HOLIDAYS = "public holidays"


class CountryUnknown(ModelError):
    """No calendar of public holidays is known by that name."""

    def __init__(self, country: str) -> None:
        super().__init__(
            f"no public holidays are known for {country!r}; nothing was fitted",
            hint="use a two-letter country code (ISO 3166), such as DE or US",
        )


def public_holidays(weeks: NDArray[np.datetime64], country: str) -> NDArray[np.float64]:
    """The number of public holidays in each week `[week]`, weekends included. Raises CountryUnknown."""
    from holidays import country_holidays, list_supported_countries

    if country not in list_supported_countries():
        raise CountryUnknown(country)
    days = weeks.astype("datetime64[D]")[:, None] + np.arange(DAYS_PER_WEEK)
    years = range(int(str(days.min())[:4]), int(str(days.max())[:4]) + 1)
    dates = np.array([np.datetime64(day) for day in country_holidays(country, years=years)])
    return np.asarray(np.isin(days, dates).sum(axis=1).astype(np.float64))


def with_public_holidays(panel: Panel, country: str) -> Panel:
    """The panel with a control more: the number of public holidays in each week, weekends included.

    `country` is an ISO 3166 code. It stands before the treatments. Raises CountryUnknown, and ModelError when
    the panel already has a control of that name.
    """
    counts = public_holidays(panel.weeks, country)
    at = len(panel.control_names) - len(panel.treatment_names)
    column = np.broadcast_to(counts, (panel.n_units, panel.n_weeks))
    return replace(
        panel,
        controls=np.insert(panel.controls, at, column, axis=-1),
        control_names=(*panel.control_names[:at], HOLIDAYS, *panel.control_names[at:]),
    )
