"""Every figure a report shows; each comes with its table, an insight and a way to read it."""

from mmm_models.reporting.figure import Column, Figure, Table
from mmm_models.reporting.figure_arms import MOST_COLUMNS, arms_figure, arms_table, channel_errors_table
from mmm_models.reporting.figure_contributions import contributions_figure
from mmm_models.reporting.figure_curves import curves_figure
from mmm_models.reporting.figure_experiments import experiments_figure
from mmm_models.reporting.figure_families import families_figure, family_errors_table
from mmm_models.reporting.figure_fit import fit_figure
from mmm_models.reporting.figure_noise import noise_figure
from mmm_models.reporting.figure_parts import parts_figure
from mmm_models.reporting.figure_roi import roi_figure
from mmm_models.reporting.figure_spend_curves import spend_curves_figure
from mmm_models.reporting.figure_training import training_figure
from mmm_models.reporting.figure_waterfall import waterfall_figure
from mmm_models.reporting.figure_weeks import weeks_figure
from mmm_models.reporting.table_contributions import contributions_table

__all__ = [
    "MOST_COLUMNS",
    "Column",
    "Figure",
    "Table",
    "arms_figure",
    "arms_table",
    "channel_errors_table",
    "contributions_figure",
    "contributions_table",
    "curves_figure",
    "experiments_figure",
    "families_figure",
    "family_errors_table",
    "fit_figure",
    "noise_figure",
    "parts_figure",
    "roi_figure",
    "spend_curves_figure",
    "training_figure",
    "waterfall_figure",
    "weeks_figure",
]
