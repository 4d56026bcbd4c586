"""A job judged inside the worker, before it asks for a key: the rules, the template, the manifests, the price.

Guarantee: nothing is taken on the word of whoever sent the job. That a plan comes from a template is found by reading
the template's text again; what a broker is asked to vouch for is computed from the job itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cleanroom.datasets.sealed_table import SealedTableManifest, StoredType, table_broken
from cleanroom.errors import QueryFailed, QueryRefused
from cleanroom.query.relation_schema import Catalog
from cleanroom.rules.analysis_rule import Mode
from cleanroom.rules.rule_check import Question, Verdict, check
from cleanroom.worker.job import Job
from cleanroom.worker.statement import MOST_TABLES, StatedTable, Statement, template_digest
from privacy.canonical_json import digest_of
from privacy.errors import NotCanonical


@dataclass(frozen=True)
class Judged:
    """A job that may be run. `manifests`: by dataset. `template`: the digest of the one that gives the plan."""

    job: Job
    verdict: Verdict
    catalog: Catalog
    manifests: Mapping[str, SealedTableManifest] = field(repr=False)
    template: str | None = None

    @property
    def is_reuse(self) -> bool:
        """Whether cells that were released before are presented anew."""
        return self.job.reuse is not None

    @property
    def charge(self) -> tuple[float, float]:
        """Epsilon and delta that this answer costs."""
        return (0.0, 0.0) if self.is_reuse else (self.verdict.epsilon, self.verdict.delta)

    def versions_of(self, owner: str) -> frozenset[str]:
        """The versions of this owner that are to be opened: none of them when nothing is."""
        if self.is_reuse:
            return frozenset()
        contexts = (manifest.context for manifest in self.manifests.values())
        return frozenset(context.version for context in contexts if context.owner == owner)

    def statement(self, nonces: Mapping[str, bytes]) -> Statement:
        """What the owners' brokers are told. Raises QueryFailed when a nonce is missing, or one too many."""
        if set(nonces) != set(self.job.owners):
            raise _against_the_rules()
        epsilon, delta = self.charge
        return Statement(
            collaboration=self.job.collaboration,
            query_id=self.job.query_id,
            asker=self.job.asker,
            plan_digest=self.job.plan.digest(),
            mode=self.verdict.mode,
            template=self.template,
            reuse=self.is_reuse,
            epsilon=epsilon,
            delta=delta,
            tables=tuple(
                StatedTable(
                    dataset=table.document.dataset,
                    owner=table.owner,
                    version=self.manifests[table.document.dataset].context.version,
                    manifest_digest=digest_of(self.manifests[table.document.dataset].to_plain()),
                    policy_digest=digest_of(table.document.canonical()),
                )
                for table in self.job.tables
            ),
            nonces=nonces,
        )


def judge(job: Job) -> Judged:
    """Raises QueryFailed or SealedTableBroken, always before anything is asked for.

    The plan is checked here again: a web process that was taken over gains nothing by skipping it.
    """
    catalog = {table.document.dataset: table.document for table in job.tables}
    if len(catalog) != len(job.tables) or len(job.tables) > MOST_TABLES:
        raise _against_the_rules()
    template = None if job.template is None else _template(job, catalog)
    verdict = check(Question(job.plan, job.asker, template is not None, job.epsilon), catalog)
    if not verdict.allowed or set(verdict.datasets) != set(catalog):
        raise _against_the_rules()
    if job.reuse is not None and verdict.mode is not Mode.DP:
        raise _against_the_rules()
    return Judged(job, verdict, catalog, _manifests(job), template)


def _template(job: Job, catalog: Catalog) -> str:
    """The digest of the job's template, whose text was read again and gives the job's plan."""
    from cleanroom.query.reader import read_query  # brings a parser, which other jobs can do without

    template = job.template
    assert template is not None
    try:
        plan = read_query(template.sql, catalog, template.parameters)
        digest = template_digest(template.name, template.sql)
    except (QueryRefused, NotCanonical) as error:
        raise _against_the_rules() from error
    if plan.digest() != job.plan.digest():
        raise _against_the_rules()
    return digest


def _manifests(job: Job) -> Mapping[str, SealedTableManifest]:
    """Every table's manifest, which must be of this place and hold what the rules in force call for."""
    found = {}
    for table in job.tables:
        manifest = SealedTableManifest.of(table.manifest)
        context, document = manifest.context, table.document
        if (context.collaboration, context.dataset, context.owner) != (
            job.collaboration,
            document.dataset,
            table.owner,
        ):
            raise table_broken()
        if manifest.columns.get(document.identity) is not StoredType.IDENTITY:
            raise table_broken()
        found[document.dataset] = manifest
    if len({manifest.context.version for manifest in found.values()}) != len(found):
        raise table_broken()
    return found


def _against_the_rules() -> QueryFailed:
    return QueryFailed("the worker finds the query against the rules; nothing was opened", hint="ask anew")
