"""Distinct texts are counted exactly, however they arrive."""

from hypothesis import given
from hypothesis import strategies as st

from cleanroom.partner.distinct_count import DistinctCount


@given(st.lists(st.lists(st.text(max_size=3))))
def test_the_count_is_that_of_a_set(batches):
    count = DistinctCount()
    for batch in batches:
        count.add(batch)
    assert count.value == len({text for batch in batches for text in batch})
    count.add(["one more, longer than all others"])
    assert count.value == len({text for batch in batches for text in batch}) + 1


def test_nothing_counts_as_none():
    assert DistinctCount().value == 0
