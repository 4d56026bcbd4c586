"""A network that remembers."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mmm_models.peers.recurrent import NetworkEffects, Recurrent
from mmm_models.peers.recurrent_network import RecurrentSettings, Sequences, new_network
from tests.mmm_models.small_panels import small_panel

SETTINGS = RecurrentSettings(hidden=4, most_steps=60, networks=1)


def drawn() -> Sequences:
    generator = torch.Generator().manual_seed(0)
    return Sequences(
        media=torch.rand(2, 12, 3, generator=generator),
        local=torch.randn(2, 12, 2, generator=generator),
        outcome=torch.rand(2, 12, generator=generator),
    )


def test_contributions_of_a_week_are_what_would_be_missing_without_media():
    sequences = drawn()
    effects = NetworkEffects([new_network(sequences, SETTINGS, seed=0)], sequences, np.ones((2, 12)))
    none = effects._predict(torch.zeros_like(sequences.media))

    assert effects.contributions.sum(axis=-1) == pytest.approx(effects.predicted - none, abs=1e-6)


def test_later_media_do_not_change_earlier_weeks():
    sequences = drawn()
    network = new_network(sequences, SETTINGS, seed=0)
    changed = sequences.media.clone()
    changed[:, 7:] += 5.0
    with torch.no_grad():
        one, other = network(sequences.media, sequences.local), network(changed, sequences.local)

    assert torch.equal(one[:, :7], other[:, :7])
    assert not torch.allclose(one[:, 7:], other[:, 7:])


def test_a_network_begins_alike_and_leaves_other_randomness_alone():
    torch.manual_seed(9)
    expected = torch.rand(3)
    torch.manual_seed(9)
    one, other = (new_network(drawn(), SETTINGS, seed=4) for _ in range(2))

    assert torch.equal(torch.rand(3), expected)
    for first, second in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(first, second)


def test_eleven_channels_are_sampled_and_the_error_is_stated():
    panel = small_panel(channels=11)
    (note,) = (
        f for f in Recurrent(SETTINGS).fit(panel, holdout_weeks=8).results.findings if f.code != "below-zero"
    )

    assert (note.code, note.severity) == ("sampled-shapley", "note")
    assert "standard error of a share is" in note.text


def test_a_total_below_zero_is_shown_as_zero_and_said():
    """Media that harm: nothing in the network forbids that."""
    panel = small_panel(units=8, weeks=80, channels=1)
    made = replace(panel, outcome=200.0 - 0.3 * panel.media[..., 0].clip(max=500.0))
    results = Recurrent(SETTINGS).fit(made, holdout_weeks=8).results

    assert results.channels[0].contribution == 0
    assert [finding.code for finding in results.findings] == ["below-zero"]


def test_the_number_of_threads_is_as_it_was():
    before = torch.get_num_threads()
    Recurrent(SETTINGS).fit(small_panel(), holdout_weeks=8)

    assert torch.get_num_threads() == before
