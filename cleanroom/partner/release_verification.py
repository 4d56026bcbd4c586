"""A release verified without the service: who signed it, and whether its parts belong together.

Proves: the worker whose key was pinned on joining signed this result for this plan, collaboration and charge, under
policies with these digests and tables with these SHA-256; with the collaboration's record at hand, that those
policies are documents that the owners signed.
Not proved: that the worker ran unchanged code (its measurement is not attested yet), that the tables hold the truth,
and that nothing was withheld: a release never says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from cleanroom.errors import ReleaseUnverified
from cleanroom.governance.record import verify_record
from cleanroom.query.plan import Plan, scans_of
from cleanroom.worker.release_document import FORMAT, KIND
from privacy.canonical_json import digest_of
from privacy.errors import NotCanonical, SignatureRefused
from privacy.party_keys import PublicKeys
from privacy.signed_document import open_document

NOT_PROVED = (
    "that the worker ran the published code: its measurement is not attested yet",
    "that the tables are true, or complete",
    "whether anything was withheld: no release says so",
)


@dataclass(frozen=True)
class VerifiedRelease:
    """A genuine release: its body, and what was and was not proved about it, in words."""

    body: Mapping[str, Any]
    proved: tuple[str, ...]
    not_proved: tuple[str, ...] = NOT_PROVED


def verify_release(
    document: object, worker: PublicKeys, *, collaboration: str, record: object = None
) -> VerifiedRelease:
    """The release, if it is genuine. Raises ReleaseUnverified naming the part that does not fit.

    `record`: the collaboration's signed documents, to tell whether the owners signed the policies.
    """
    try:
        body = open_document(document, kind=KIND, public_key=worker.signing)
    except SignatureRefused as error:
        raise _unverified("its signature is not the pinned worker's") from error
    try:
        _require_consistent(body, collaboration)
        proved = [*_said(body, worker), *_policies(body, record)]
    except (KeyError, TypeError, AttributeError, ValidationError, NotCanonical) as error:
        raise _unverified("it lacks a part of a release") from error
    return VerifiedRelease(body, tuple(proved))


def _require_consistent(body: Mapping[str, Any], collaboration: str) -> None:
    if body["format"] != FORMAT:
        raise _unverified("it has another format than this version reads")
    if body["collaboration"] != collaboration:
        raise _unverified("it is of another collaboration")
    plan = Plan.model_validate(body["plan"])
    if plan.digest() != body["plan_digest"]:
        raise _unverified("the digest of its plan is another")
    if digest_of(body["result"]) != body["result_digest"]:
        raise _unverified("the digest of its result is another")
    read = {scan.dataset for release in plan.releases for scan in scans_of(release.source)}
    named = [{item["dataset"] for item in body[part]} for part in ("policies", "datasets")]
    if named != [read, read]:
        raise _unverified("its plan reads other datasets than it names")
    titles = [column["name"] for column in body["result"]["columns"]]
    if titles != list(plan.titles) or any(len(row) != len(titles) for row in body["result"]["rows"]):
        raise _unverified("its result has other columns than its plan")


def _said(body: Mapping[str, Any], worker: PublicKeys) -> list[str]:
    charge, protection = body["charge"], body["protection"]
    price = f"epsilon {charge['epsilon']:g}, delta {charge['delta']:g}" if charge["epsilon"] else "no epsilon"
    tables = ", ".join(f"{item['dataset']} {item['version']}" for item in body["datasets"])
    return [
        f"signed by the worker with fingerprint {worker.fingerprint}",
        f"answers query {body['query_id']} of {body['asked_by']}, issued {body['issued_on']}",
        f"the result belongs to plan {body['plan_digest'][:16]}",
        f"{protection['mode']} protection, groups of {protection['min_group_size']} or more; charged: {price}",
        f"made from {tables}",
    ]


def _policies(body: Mapping[str, Any], record: object) -> list[str]:
    if record is None:
        return []
    state = verify_record(record)
    lines = []
    for policy in body["policies"]:
        owned = state.rules.get(policy["dataset"])
        if owned is None or owned.owner != policy["owner"]:
            raise _unverified("it names an owner whose signature the record does not hold")
        same = digest_of(owned.document.canonical()) == policy["digest"]
        lines.append(
            f"{owned.owner} signed the rules of {policy['dataset']} that were applied"
            if same
            else f"the rules of {policy['dataset']} have changed since"
        )
    return lines


def _unverified(what: str) -> ReleaseUnverified:
    return ReleaseUnverified(
        f"this release is not genuine: {what}", hint="do not use it; ask for it anew and tell the owners"
    )
