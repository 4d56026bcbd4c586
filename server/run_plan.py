"""What a run will ask of the silos, worked out from the settings and what the silos declare about themselves."""

import json
from dataclasses import dataclass
from typing import Any

from mmm_models.curvature import packed_size
from mmm_models.federated_spec import ChannelDeclaration, FederatedModel, GradientSum
from mmm_models.panel import ChannelKind
from mmm_models.scaling import MediaPer
from privacy.masks.secure_aggregation import smallest_threshold
from privacy.run_terms import PrivacyMode, PrivacyTerms
from privacy.sum_schedule import Purpose, sum_schedule
from privacy.wire import Introduction, Invitation
from server.errors import RunStoreError, SettingsInvalid
from server.robust_aggregation import RobustAggregation
from server.settings import RunSettings

# With experiments: curvature anew before each step, as what they say of the response bends with it.
CALIBRATION_ROUNDS = 4
CALIBRATION = (Purpose.CURVATURE, Purpose.ROUND) * CALIBRATION_ROUNDS


@dataclass(frozen=True)
class RunPlan:
    """The invitation all silos get, and the same in typed form. `schedule`: all sums of the run, in order; `rounds`:
    those before silos' experiments count; `experimenting`: the silos that declare experiments."""

    invitation: Invitation
    model: FederatedModel
    privacy: PrivacyTerms
    silos: int
    experimenting: tuple[str, ...]
    rounds: int
    schedule: tuple[Purpose, ...]

    def calibrates_after(self, rounds: int) -> bool:
        """Whether silos' experiments count once so many rounds are done."""
        return self.model.calibrated and rounds >= self.rounds

    def sum_after(self, sums: int) -> Purpose:
        """What is asked for once so many sums of the schedule are done. Raises RunStoreError where a checkpoint counts
        more of them: its run had silos' experiments, and did not note whose."""
        if sums >= len(self.schedule):
            raise RunStoreError(
                f"the newest checkpoint is of a run with more sums than the {len(self.schedule)} planned now",
                hint="restore `lifts` in the silo files of the run's beginning and resume, or start a new run",
            )
        return self.schedule[sums]

    @property
    def answered_once(self) -> bool:
        """Whether silos answer no sum twice: with shared noise, and with an enclave, which forgets when it dies."""
        return self.privacy.answered_once or self.invitation.enclave


def plan_run(settings: RunSettings, run_id: str, introductions: tuple[Introduction, ...]) -> RunPlan:
    """Raises SettingsInvalid when the silos' declarations cannot be one model, or too few for a robust rule came."""
    RobustAggregation.of(settings).require_enough(len(introductions))
    schemas = {item.silo: _declared(item) for item in introductions}
    experimenting = tuple(silo for silo in sorted(schemas) if schemas[silo].get("experiments", False))
    model = FederatedModel(
        channels=_channels(schemas),
        media_per=_media_per(schemas),
        weeks=settings.weeks,
        holdout_weeks=settings.holdout_weeks,
        intervals=settings.intervals,
        calibrated=settings.intervals and bool(experimenting),
        model=settings.model.model_copy(update={"reach_frequency": _reach_frequency(settings, schemas)}),
        local=settings.local,
        currency=_common(schemas, "currency"),
        outcome_unit=_common(schemas, "outcome_unit"),
    )
    privacy = privacy_terms(settings, model, silos=len(introductions))
    invitation = Invitation.of(
        run_id,
        privacy,
        secure_aggregation=settings.secure_aggregation,
        model=model.model_dump_json(),
        enclave=settings.enclave,
    )
    schedule = _schedule(settings, calibrated=model.calibrated)
    return RunPlan(
        invitation, model, privacy, len(introductions), experimenting, settings.planned_rounds, schedule
    )


def _schedule(settings: RunSettings, *, calibrated: bool) -> tuple[Purpose, ...]:
    """With experiments, rounds that calibrate the trained model come before the report."""
    usual = sum_schedule(settings.planned_rounds, settings.curvatures, private=settings.private)
    return (*usual[:-1], *CALIBRATION, usual[-1]) if calibrated else usual


def privacy_terms(settings: RunSettings, model: FederatedModel, *, silos: int) -> PrivacyTerms:
    """What the settings promise; every local step is one release. Raises SettingsInvalid."""
    if settings.privacy is PrivacyMode.NONE:
        return PrivacyTerms(PrivacyMode.NONE)
    survivors = colluding = 0
    if settings.distributed:
        survivors = max(smallest_threshold(silos), silos - settings.tolerated_dropouts)
        colluding = settings.colluding
        if survivors <= colluding:
            raise SettingsInvalid(
                f"of {silos} silos {settings.tolerated_dropouts} may drop out and {colluding} collude, which leaves "
                "nobody whose noise is certain",
                hint="invite more silos, lower colluding or tolerated-dropouts, or choose privacy local",
            )
    return PrivacyTerms(
        settings.privacy,
        settings.epsilon,
        settings.delta,
        steps=settings.planned_rounds * settings.local.steps,
        curvatures=settings.curvatures,
        survivors=survivors,
        colluding=colluding,
        values=_most_values(model, settings.curvatures),
        sample_rate=settings.sample_rate,
    )


def _most_values(model: FederatedModel, curvatures: int) -> int:
    """Numbers in the longest noised sum."""
    parameters = model.parameters
    return max(
        model.scales_sum(private=True).length,
        GradientSum(parameters=parameters, private=True).length,
        packed_size(parameters) if curvatures else 0,
        model.records(private=True).length,
    )


def _declared(introduction: Introduction) -> dict[str, Any]:
    """The silo's declaration, if it has the agreed shape."""
    try:
        schema = json.loads(introduction.schema)
        entries = schema["channels"].values()
        texts = [schema["currency"], schema["outcome_unit"], *(entry["unit"] for entry in entries)]
        kinds = [ChannelKind(entry["kind"]) for entry in entries]
        flags = (schema["population"], schema.get("frequency", False), schema.get("experiments", False))
        if kinds and all(isinstance(f, bool) for f in flags) and all(isinstance(text, str) for text in texts):
            return dict(schema)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _unreadable(introduction.silo) from error
    raise _unreadable(introduction.silo)


def _unreadable(silo: str) -> SettingsInvalid:
    return SettingsInvalid(
        f"{silo} introduces itself in a way that cannot be read", hint="run the same version everywhere"
    )


def _channels(schemas: dict[str, Any]) -> tuple[ChannelDeclaration, ...]:
    """The union in order of first mention; a silo may lack a channel, but not mean another kind by it."""
    found: dict[str, ChannelDeclaration] = {}
    for silo in sorted(schemas):
        for name, entry in schemas[silo]["channels"].items():
            declared = ChannelDeclaration(
                name=name, kind=ChannelKind(entry["kind"]), exposure_unit=entry["unit"]
            )
            known = found.setdefault(name, declared)
            if known.kind is not declared.kind or _differ(known.exposure_unit, declared.exposure_unit):
                raise SettingsInvalid(
                    f"channel {name!r} is {declared.kind} in {declared.exposure_unit or 'unknown units'} for {silo}, "
                    f"but {known.kind} in {known.exposure_unit or 'unknown units'} for another silo",
                    hint="use one kind and unit for a channel in all silo files, or two channel names",
                )
    return tuple(found.values())


def _media_per(schemas: dict[str, Any]) -> MediaPer:
    """Per head only when every silo knows its population."""
    everywhere = all(schema["population"] for schema in schemas.values())
    return MediaPer.POPULATION if everywhere else MediaPer.OUTCOME


def _reach_frequency(settings: RunSettings, schemas: dict[str, Any]) -> bool:
    """A response of frequency where any silo knows one; not with noise, whose bounds were set without."""
    return settings.intervals and any(schema.get("frequency", False) for schema in schemas.values())


def _common(schemas: dict[str, Any], key: str) -> str:
    values = {schema[key] for schema in schemas.values() if schema[key]}
    if len(values) > 1:
        raise SettingsInvalid(
            f"the silos disagree on {key.replace('_', ' ')}: {', '.join(sorted(values))}",
            hint="convert all silos to one before training",
        )
    return values.pop() if values else ""


def _differ(first: str, second: str) -> bool:
    return bool(first and second and first != second)
