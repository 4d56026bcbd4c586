"""The audit against exact sets, which it never sees: no accepted number may give away fewer than k people."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cleanroom.release.difference_audit import DifferenceAudit, Finding
from cleanroom.release.sketch_span import UnitSketch
from tests.cleanroom.release.contribution_rows import new_history

K = 50
People = NDArray[np.int64]


def _sketch(contributions: People, seed: int) -> People:
    buckets = np.random.default_rng(seed).integers(0, 2048, (2, len(contributions)))
    return np.concatenate([np.bincount(half, contributions, 2048) for half in buckets]).astype(np.int64)


def _judge(audit: DifferenceAudit, contributions: People, *, unit: str = "people", seed: int = 1) -> Finding:
    return audit.judge(audit.candidates([[UnitSketch(unit, _sketch(contributions, seed))]])[0])


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([600, 3000]))
def test_no_sums_and_differences_of_accepted_groups_are_about_few_people(seed: int, people: int) -> None:
    random = np.random.default_rng(seed)
    audit, accepted = DifferenceAudit(new_history(), K), np.zeros((0, people), np.int64)
    parts = np.array_split(random.permutation(people), 4)
    for _ in range(7):
        group = np.zeros(people, np.int64)
        for part in parts:
            group[part] = random.random() < 0.6
        changed = random.permutation(people)[: random.integers(0, K + 2)]
        group[changed] = 1 - group[changed]
        if group.sum() < K or _judge(audit, group, seed=seed) not in (Finding.NEW, Finding.KNOWN):
            continue
        signs = np.array(list(itertools.product((-1, 0, 1), repeat=len(accepted))), np.int64)
        touched = np.count_nonzero(group - signs @ accepted, axis=1)
        assert 0 in touched or touched.min() >= K
        accepted = np.vstack([accepted, group])


@pytest.mark.parametrize("size", [50, 90, 98, 5000])
@pytest.mark.parametrize("part", [1, 24, 25, 45, 49])
def test_a_part_of_a_released_difference_is_found_inside_a_large_union(size: int, part: int) -> None:
    # Released: A, A and K, D. Asked: A, D and a part of K; least squares alone is undecided where that is half of K.
    people = np.zeros((4, 60_000), np.int64)
    people[0, :50_000] = people[1, :50_000] = people[3, :50_000] = 1
    people[1, 50_000 : 50_000 + size + 10] = 1
    people[2, 57_000:] = people[3, 57_000:] = 1
    people[3, 50_000 : 50_000 + part] = 1
    audit = DifferenceAudit(new_history(), K)
    assert [_judge(audit, group) for group in people[:3]] == [Finding.NEW] * 3
    assert _judge(audit, people[3]) is Finding.TOO_CLOSE


def test_big_spenders_do_not_hide_a_difference_between_sums() -> None:
    random = np.random.default_rng(3)
    spend = np.rint(100 * np.exp(random.normal(3, 2, 4000))).astype(np.int64)
    audit = DifferenceAudit(new_history(), K)
    for part in np.array_split(np.arange(4000), 20):
        group = np.zeros(4000, np.int64)
        group[part] = spend[part]
        assert _judge(audit, group, unit="spend") is Finding.NEW
    union = np.concatenate([spend[:1400], np.zeros(2600, np.int64)])
    assert _judge(audit, union, unit="spend") is Finding.KNOWN
    for missing in (1, 10, 49):
        without = union.copy()
        without[np.argsort(-union)[:missing]] = 0
        assert _judge(audit, without, unit="spend") is Finding.TOO_CLOSE
