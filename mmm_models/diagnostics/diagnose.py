"""Everything a panel and its model cannot tell, as findings in plain words."""

from collections.abc import Collection

from mmm_models.diagnostics.channel_activity import channel_activity
from mmm_models.diagnostics.collinear_channels import collinear_channels
from mmm_models.diagnostics.demand_following import demand_following
from mmm_models.diagnostics.effect_waves import waves_unidentified
from mmm_models.diagnostics.history_length import history_length
from mmm_models.diagnostics.national_media import national_media
from mmm_models.diagnostics.panel_evidence import gather_evidence
from mmm_models.diagnostics.posterior_summary import PosteriorSummary
from mmm_models.diagnostics.prior_dominance import prior_dominated
from mmm_models.diagnostics.same_week import same_week_unidentified
from mmm_models.diagnostics.spend_share import spend_share
from mmm_models.panel import Panel
from mmm_models.results import Finding
from mmm_models.spec import ModelSpec

USUAL_WAVES = 2
SEVERITIES = ("fail", "review", "note")


def diagnose(
    panel: Panel,
    *,
    holdout_weeks: int,
    posterior: PosteriorSummary | None = None,
    spec: ModelSpec | None = None,
    tested: Collection[str] = (),
) -> tuple[Finding, ...]:
    """What cannot be known from the panel's training weeks, the gravest first.

    `posterior` adds what a fitted model knows of its own uncertainty; `spec` is the model's, else the usual
    one; `tested` are channels whose experiments it was calibrated with. They read single units' series: where
    those are private, so are the findings.
    Raises `NothingToLearnFrom` when no unit has an outcome in its training weeks.
    """
    if not panel.n_channels:
        return ()
    model = spec or ModelSpec()
    evidence = gather_evidence(panel, holdout_weeks=holdout_weeks, spec=model)
    found = (
        *history_length(evidence),
        *national_media(evidence),
        *same_week_unidentified(evidence, posterior, model.baseline.same_week_media_sd, tested),
        *collinear_channels(evidence, posterior),
        *demand_following(evidence),
        *channel_activity(evidence),
        *spend_share(evidence),
        *(() if posterior is None else prior_dominated(panel.channel_names, posterior)),
        *waves_unidentified(evidence, model.effect_waves or USUAL_WAVES, model),
    )
    return tuple(sorted(found, key=lambda finding: SEVERITIES.index(finding.severity)))
