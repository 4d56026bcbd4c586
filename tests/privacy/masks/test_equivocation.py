"""A coordinator that tells every silo another story, alone and with silos on its side: all stories tried."""

from collections.abc import Collection, Iterator, Mapping
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privacy.errors import InvalidSetting, UnmaskRefused
from privacy.masks.opened_sums import fewest_honest_in_a_sum, threshold_for_shared_noise
from privacy.masks.secure_aggregation import smallest_threshold
from tests.privacy.masks.coalition import Coalition, groups_joined_by, told
from tests.privacy.masks.masked_federation import MaskedFederation, plain_sum, random_vectors, silo_names

Story = Mapping[int, Collection[int]]  # [honest silo] whom it is told have dropped out


def opened_groups(n_silos: int, threshold: int, story: Story) -> set[frozenset[int]]:
    """The sums that a story opens, by counting alone: silos that are not in it collude.

    b_i opens when `threshold` holders hear that i is alive; s_ij when they hear that i is alive and j is not
    (or the other way round). A group of honest silos is summed when all its b_i are open; silos whose common
    s_ij is not open belong to one group.
    """
    helpers = n_silos - len(story)

    def opens(alive: int, dropped: int | None) -> bool:
        heard = sum(alive not in out and (dropped is None or dropped in out) for out in story.values())
        return helpers + heard >= threshold

    hidden = {i: {j for j in story if j != i and not opens(i, j) and not opens(j, i)} for i in story}
    return {group for group in groups_joined_by(hidden) if all(opens(i, None) for i in group)}


def all_stories(n_silos: int, threshold: int, n_colluders: int) -> Iterator[Story]:
    """Every story whose parts a silo would not refuse: nobody hears itself dropped, or too many others."""
    honest = range(n_silos - n_colluders)
    believable = [
        [
            set(out)
            for size in range(n_silos - threshold + 1)
            for out in combinations([peer for peer in range(n_silos) if peer != silo], size)
        ]
        for silo in honest
    ]
    for parts in product(*believable):
        yield dict(zip(honest, parts, strict=True))


@pytest.mark.parametrize("n_silos", [3, 4, 5])
def test_no_story_of_a_coordinator_alone_opens_two_sums_or_a_sum_of_half_the_roster(n_silos):
    for story in all_stories(n_silos, smallest_threshold(n_silos), 0):
        opened = opened_groups(n_silos, smallest_threshold(n_silos), story)
        assert len(opened) <= 1
        assert all(2 * len(group) > n_silos for group in opened)


@pytest.mark.parametrize("n_silos, n_colluders", [(3, 1), (4, 1), (5, 1), (5, 2), (6, 1), (6, 2), (6, 3)])
def test_no_story_of_a_coordinator_with_fewer_than_2t_minus_n_silos_opens_less_than_stated(
    n_silos, n_colluders
):
    """And some story opens a sum of that few, so nothing better could be stated; it is never one alone."""
    threshold = smallest_threshold(n_silos)
    sizes = {
        len(group)
        for story in all_stories(n_silos, threshold, n_colluders)
        for group in opened_groups(n_silos, threshold, story)
    }
    assert min(sizes) == fewest_honest_in_a_sum(n_silos, threshold, colluding=n_colluders) > 1


def test_ten_silos_told_four_stories_open_a_sum_of_six_although_the_threshold_is_seven():
    """Silos 0 to 3 are each called dropped by seven of ten, three by each: 4 * 7 <= 10 * 3. A fifth is too much."""
    story = {silo: {0, 1, 2, 3} - {silo if silo < 4 else silo % 4} for silo in range(10)}
    assert all(sum(silo in out for out in story.values()) >= 7 for silo in range(4))
    opened, vectors = act_out(10, story)
    assert opened.opened_sums() == {frozenset(range(4, 10)): plain_sum(vectors[4:])}
    assert fewest_honest_in_a_sum(10, 7) == 6


@pytest.mark.parametrize(
    "n_silos, threshold, min_silos, colluding, fewest",
    [
        (8, 6, 3, 0, 6),  # 8 * 2 // 6 = 2
        (8, 6, 3, 1, 5),  # 7 * 2 // 5 = 2
        (8, 6, 3, 2, 3),  # 6 * 2 // 4 = 3: fewer than the 4 = 6 - 2 that the threshold alone suggests
        (10, 8, 3, 0, 8),  # 10 * 2 // 8 = 2: a higher threshold repays itself
        (50, 34, 3, 0, 27),  # 50 * 16 // 34 = 23
        (10, 7, 10, 0, 10),  # nobody may drop out
    ],
)
def test_the_fewest_honest_silos_in_a_sum_by_hand(n_silos, threshold, min_silos, colluding, fewest):
    assert fewest_honest_in_a_sum(n_silos, threshold, min_silos=min_silos, colluding=colluding) == fewest


def test_with_too_many_colluders_no_number_is_given():
    with pytest.raises(InvalidSetting, match="3 colluding silos a threshold of 5 among 7"):
        fewest_honest_in_a_sum(7, 5, colluding=3)


@pytest.mark.parametrize(
    "n_silos, survivors, colluding, threshold",
    [
        (3, 3, 1, 3),
        (8, 7, 1, 6),  # one dropout: the smallest threshold will do, 7 - 7 * 1 // 5 = 6
        (10, 8, 1, 8),  # two: at 7, 9 - 9 * 2 // 6 = 6 < 7; at 8, 9 - 9 * 2 // 7 = 7
        (7, 6, 2, 5),  # 5 - 5 * 1 // 3 = 4
        (7, 6, 3, 6),  # at 5 three colluders bare a silo; at 6, 4 - 4 * 1 // 3 = 3
    ],
)
def test_the_threshold_that_keeps_enough_noise_by_hand(n_silos, survivors, colluding, threshold):
    assert threshold_for_shared_noise(n_silos, survivors=survivors, colluding=colluding) == threshold


def test_where_no_threshold_keeps_enough_noise_the_plan_is_refused():
    """Eight silos, two dropouts, two colluders: 6 - 6 * 2 // 4 = 3 where 4 were planned; 6 is the most one can ask."""
    with pytest.raises(InvalidSetting, match="no threshold keeps 4 honest ones in every sum of 6"):
        threshold_for_shared_noise(8, survivors=6, colluding=2)


@settings(max_examples=200)
@given(st.integers(3, 40), st.integers(0, 6), st.integers(0, 6))
def test_one_dropout_is_always_affordable_and_any_answer_holds(n_silos, dropouts, colluding):
    survivors = max(smallest_threshold(n_silos), n_silos - dropouts)
    if survivors <= colluding:
        return
    try:
        threshold = threshold_for_shared_noise(n_silos, survivors=survivors, colluding=colluding)
    except InvalidSetting:
        assert n_silos - survivors > 1 or colluding >= 2 * survivors - n_silos
        return
    fewest = fewest_honest_in_a_sum(n_silos, threshold, min_silos=survivors, colluding=colluding)
    assert survivors - colluding <= fewest
    assert smallest_threshold(n_silos) <= threshold <= survivors


def test_two_dropouts_among_ten_need_a_higher_threshold_which_real_messages_obey():
    """The stories of the test above cannot be told any more: a silo that asks for eight hears of two dropouts."""
    threshold = threshold_for_shared_noise(10, survivors=8, colluding=0)
    federation = MaskedFederation(10, threshold=threshold, min_silos=dict.fromkeys(silo_names(10), 8))
    request, vectors = federation.request(), random_vectors(10, 4)
    updates = {
        name: federation.mask(name, request, vector)
        for name, vector in zip(federation.names, vectors, strict=True)
    }
    with pytest.raises(UnmaskRefused, match="fewer silos are alive"):
        federation.answer(told(updates, "silo-09", dropped=["silo-00", "silo-01", "silo-02"]))


PARTS_OF_SEVEN = st.lists(st.frozensets(st.integers(0, 6), max_size=2), min_size=7, max_size=7)


@settings(max_examples=150)
@given(PARTS_OF_SEVEN, st.integers(0, 2))
def test_the_same_holds_where_a_silo_may_hear_of_two_dropouts(parts, n_colluders):
    """Seven silos, threshold five, up to 2t - n - 1 = 2 colluders."""
    story = {silo: parts[silo] - {silo} for silo in range(7 - n_colluders)}
    opened = opened_groups(7, 5, story)
    assert all(len(group) >= fewest_honest_in_a_sum(7, 5, colluding=n_colluders) for group in opened)
    assert n_colluders or len(opened) <= 1


@pytest.mark.parametrize("n_silos, n_colluders", [(4, 2), (5, 3)])
def test_with_2t_minus_n_silos_some_story_does(n_silos, n_colluders):
    """The bound that the documents state is sharp; with one colluder fewer the tests above find nothing."""
    threshold = smallest_threshold(n_silos)
    assert n_colluders == 2 * threshold - n_silos
    found = [
        group
        for story in all_stories(n_silos, threshold, n_colluders)
        for group in opened_groups(n_silos, threshold, story)
    ]
    assert min(len(group) for group in found) == 1


def act_out(n_silos: int, story: Story) -> tuple[Coalition, np.ndarray]:
    """Real keys, real messages, every silo told its part of the story."""
    federation, vectors = MaskedFederation(n_silos), random_vectors(n_silos, 4)
    request = federation.request()
    coalition = Coalition(federation, request, federation.names[len(story) :])
    updates = {
        name: federation.mask(name, request, vector)
        for name, vector in zip(federation.names, vectors, strict=True)
    }
    for update in updates.values():
        coalition.hear_update(update)
    for silo, out in story.items():
        unmask = told(updates, federation.names[silo], dropped={federation.names[peer] for peer in out})
        coalition.hear_reply(federation.answer(unmask), unmask)
    return coalition, vectors


@settings(max_examples=25)
@given(st.integers(3, 7), st.integers(0, 4), PARTS_OF_SEVEN)
def test_real_messages_open_exactly_what_counting_says(n_silos, n_colluders, parts):
    """So what was shown for every story by counting holds for the protocol as it runs."""
    threshold = smallest_threshold(n_silos)
    honest = range(n_silos - min(n_colluders, n_silos - 2))
    story = {
        silo: {peer for peer in sorted(parts[silo]) if peer != silo and peer < n_silos} for silo in honest
    }
    story = {silo: set(sorted(out)[: n_silos - threshold]) for silo, out in story.items()}
    coalition, vectors = act_out(n_silos, story)
    expected = opened_groups(n_silos, threshold, story)
    assert coalition.opened_sums() == {group: plain_sum(vectors[sorted(group)]) for group in expected}


def test_three_of_seven_colluders_and_two_stories_bare_a_silo_and_two_colluders_do_not():
    """Silos 0 and 1 hear that all are alive, 2 and 3 that silo 0 has dropped out: s_0j opens from j's shares.

    With three colluders five shares of each come together; with two colluders four.
    """
    everyone, without_first = set[int](), {0}
    bared, vectors = act_out(7, {0: everyone, 1: everyone, 2: without_first, 3: without_first})
    assert bared.opened_sums()[frozenset([0])] == vectors[0].tolist()
    hidden, _ = act_out(7, {0: everyone, 1: everyone, 2: without_first, 3: without_first, 4: everyone})
    assert frozenset([0]) not in hidden.opened_sums()
