"""t - 1 silos and the coordinator against the rest: whose inputs are whose cannot be told from all they see.

Two worlds whose honest inputs have equal sums: in one the first honest silo holds everything, in the other
the second does. The coalition follows the protocol, keeps every message, opens all it can, and guesses. The
same guesser wins every time as soon as it has one colluder more or a mask that leaves a byte uncovered.
"""

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from privacy.masks import masking
from privacy.masks.secret_sharing import PRIME, combine, lagrange_weights
from tests.privacy.masks.coalition import Coalition, told
from tests.privacy.masks.masked_federation import MaskedFederation, plain_sum, random_vectors

SILOS, THRESHOLD, VALUES = 7, 5, 16
ROUNDS_WITH_THE_SAME_KEYS = 8


@dataclass(frozen=True, eq=False)
class Views:
    """What the coalition saw in many rounds, and what it does not know."""

    world: NDArray[np.int64]  # [view] 0 or 1
    inputs: NDArray[np.uint64]  # [view, silo, value] of the first two silos, both honest
    stripped: NDArray[np.uint64]  # [view, silo, value] their vectors without every mask that is known
    everything: NDArray[np.uint8]  # [view, byte] these again, all they sent, and shares of their s_ij


def seen(views: int, *, colluders: int, dropped: tuple[str, ...] = ()) -> Views:
    """Play `views` rounds, fresh keys every few of them, and write down the coalition's view of each."""
    coins = np.random.default_rng(len(dropped) * 100 + colluders)
    world, inputs, stripped, everything = coins.integers(0, 2, views), [], [], []
    federations = [
        MaskedFederation(SILOS, seed=f"{colluders} {dropped} {first}")
        for first in range(0, views, ROUNDS_WITH_THE_SAME_KEYS)
    ]
    for view in range(views):
        run, place = divmod(view, ROUNDS_WITH_THE_SAME_KEYS)
        vectors = random_vectors(SILOS, VALUES, seed=view)
        whole = coins.integers(1, 2**40, VALUES).astype(np.uint64)
        vectors[0], vectors[1] = (whole, 0 * whole) if world[view] == 0 else (0 * whole, whole)
        coalition = one_round(federations[run], place + 1, vectors, colluders, dropped)
        rest = np.array([coalition.stripped(slot)[0] for slot in (0, 1)])
        inputs.append(vectors[:2])
        stripped.append(rest)
        everything.append(np.frombuffer(rest.tobytes() + transcript(coalition), np.uint8))
    return Views(world, np.array(inputs), np.array(stripped), np.array(everything))


def one_round(
    federation: MaskedFederation,
    number: int,
    vectors: NDArray[np.uint64],
    colluders: int,
    dropped: tuple[str, ...],
) -> Coalition:
    """An honest round; the last `colluders` silos share all they know with the coordinator."""
    request = federation.request(number, length=VALUES)
    coalition = Coalition(federation, request, federation.names[SILOS - colluders :])
    updates = {
        name: federation.mask(name, request, vector)
        for name, vector in zip(federation.names, vectors, strict=True)
    }
    alive = [name for name in federation.names if name not in dropped]
    for name in alive:
        coalition.hear_update(updates[name])
    for name in alive:
        unmask = told(updates, name, dropped=dropped)
        coalition.hear_reply(federation.answer(unmask), unmask)
    return coalition


def transcript(coalition: Coalition) -> bytes:
    """What the first two silos sent, and the coalition's shares of their common seed, 33 bytes each."""
    updates = [coalition.updates[slot] for slot in (0, 1)]
    sent = [update.masked.tobytes() + update.commitments + b"".join(update.boxes) for update in updates]
    shares = [
        value.to_bytes(33, "little")
        for pair in ((0, 1), (1, 0))
        for _, value in sorted(coalition.shares[pair].items())
    ]
    return b"".join(sent + shares)


SETTINGS = {"all alive": (), "an honest silo dropped out": ("silo-02",)}


@pytest.fixture(scope="module", params=SETTINGS)
def hidden(request: pytest.FixtureRequest) -> Views:
    """t - 1 = 4 colluders of 7; two or three honest silos in the sum."""
    return seen(200, colluders=THRESHOLD - 1, dropped=SETTINGS[request.param])


@pytest.fixture(scope="module")
def bared() -> Views:
    """The control: one colluder more."""
    return seen(48, colluders=THRESHOLD)


def uncovered(monkeypatch: pytest.MonkeyPatch) -> Views:
    """The other control: t - 1 colluders, but masks that miss the lowest byte of every value."""
    whole = masking.apply_masks

    def without_lowest_byte(vector, *, add, subtract):
        masks = np.zeros_like(vector)
        whole(masks, add=add, subtract=subtract)
        vector += masks & ~np.uint64(255)

    monkeypatch.setattr(masking, "apply_masks", without_lowest_byte)
    return seen(48, colluders=THRESHOLD - 1)


def words_guessed_right(views: Views) -> float:
    """Share of words whose world a nearest-mean rule tells from the bits of both silos' stripped words.

    It learns on one half of the views and is asked about the other.
    """
    words = np.moveaxis(views.stripped, 1, 2)  # [view, value, silo]
    bits = np.unpackbits(words.copy().view(np.uint8), axis=-1).astype(float)
    half = len(views.world) // 2
    learn, labels = bits[:half], views.world[:half]
    means = [learn[labels == world].mean(axis=(0, 1)) for world in (0, 1)]
    distance = [((bits[half:] - mean) ** 2).sum(axis=-1) for mean in means]
    guess = (distance[1] < distance[0]).astype(int)
    return float((guess == views.world[half:, None]).mean())


def views_guessed_right(views: Views) -> float:
    """Share of views whose world a logistic regression tells from every byte; learnt on the other half."""
    features = views.everything / 255 - 0.5
    half = len(views.world) // 2
    learn, labels = features[:half], views.world[:half]
    weights, offset = np.zeros(features.shape[1]), 0.0
    for _ in range(200):
        error = 1 / (1 + np.exp(-(learn @ weights + offset))) - labels
        weights -= 0.05 * (learn.T @ error + 0.01 * weights)
        offset -= 0.05 * float(error.sum())
    return float(((features[half:] @ weights + offset > 0) == views.world[half:]).mean())


def coin(trials: int) -> object:
    """A fair coin's share of heads, within four and a half standard deviations 0.5 / sqrt(trials)."""
    return pytest.approx(0.5, abs=4.5 * 0.5 / np.sqrt(trials))


def test_no_guesser_tells_the_worlds_apart(hidden):
    half = len(hidden.world) // 2
    assert views_guessed_right(hidden) == coin(half)
    # Words of one view share a world, but their guesses are separate coins as long as they say nothing of it.
    assert words_guessed_right(hidden) == coin(half * VALUES)


def test_the_same_guessers_win_with_one_colluder_more(bared):
    assert views_guessed_right(bared) > 0.9
    assert words_guessed_right(bared) > 0.99


def test_the_same_guesser_wins_when_masks_miss_a_byte(monkeypatch):
    """The byte that shows is zero for the silo that holds nothing."""
    assert views_guessed_right(uncovered(monkeypatch)) > 0.9


def chi_square(octets: NDArray[np.uint8]) -> float:
    """Against uniform bytes: 255 degrees of freedom, mean 255, standard deviation sqrt(510)."""
    counts, expected = np.bincount(octets.ravel(), minlength=256), octets.size / 256
    return float(((counts - expected) ** 2 / expected).sum())


def test_what_is_left_of_each_vector_is_uniform_and_its_difference_between_worlds_too(hidden, bared):
    few = min((hidden.world == world).sum() for world in (0, 1))
    zeros, ones = (hidden.stripped[hidden.world == world][:few] for world in (0, 1))
    for words in (zeros, ones, zeros - ones, zeros[:, 0] - ones[:, 1]):
        assert chi_square(words.copy().view(np.uint8)) == pytest.approx(255, abs=4.5 * np.sqrt(510))
    assert chi_square(bared.stripped.view(np.uint8)) > 1e4


def test_every_bit_of_every_masked_word_is_a_coin(hidden, bared):
    """2 silos x 16 values x 64 bits = 2,048 coins thrown in every view; the largest lies within 5 deviations."""

    def deviations(views: Views) -> NDArray[np.float64]:
        bits = np.unpackbits(views.stripped.copy().view(np.uint8), axis=-1)
        return np.abs(bits.mean(axis=0) - 0.5) / (0.5 / np.sqrt(len(bits)))

    assert deviations(hidden).max() < 5
    assert deviations(bared).max() == pytest.approx(np.sqrt(len(bared.world)))  # bits that are always zero


def test_nothing_is_correlated_with_the_inputs_but_their_sum(hidden, bared):
    """Correlation of N words has standard deviation 1 / sqrt(N) when there is none."""

    def correlation(views: Views, words: NDArray[np.uint64]) -> float:
        plain = views.inputs[:, 0].astype(float).ravel()
        return float(np.corrcoef(plain, words.view(np.int64).astype(float).ravel())[0, 1])

    limit = 4.5 / np.sqrt(hidden.inputs[:, 0].size)
    assert abs(correlation(hidden, hidden.stripped[:, 0].copy())) < limit
    assert abs(correlation(hidden, hidden.stripped[:, 1].copy())) < limit
    assert correlation(bared, bared.stripped[:, 0].copy()) == pytest.approx(1)


def test_the_sum_itself_is_all_that_comes_out_and_it_is_exact():
    federation, vectors = MaskedFederation(SILOS, seed="sum"), random_vectors(SILOS, VALUES)
    coalition = one_round(federation, 1, vectors, THRESHOLD - 1, ())
    assert coalition.opened_sums() == {frozenset({0, 1, 2}): plain_sum(vectors[:3])}


@pytest.mark.parametrize("candidate", [bytes(32), b"\xab" * 32, b"\xff" * 32])
def test_t_minus_1_shares_fit_any_seed_by_a_polynomial_that_can_be_written_down(candidate):
    """The four points of four colluders, opened with their own keys, and (0, candidate) lie on one polynomial of
    degree t - 1 = 4; the shares it deals the honest silos rebuild the candidate with anybody's.
    """
    federation = MaskedFederation(SILOS, seed="shares")
    coalition = one_round(federation, 1, random_vectors(SILOS, VALUES), THRESHOLD - 1, ())
    known = coalition.shares[0, 1]  # of s_01, dealt by silo 0
    assert sorted(known) == [3, 4, 5, 6]
    points = [(0, int.from_bytes(candidate, "little")), *((point_of(slot), known[slot]) for slot in known)]
    dealt = {slot: interpolated(points, point_of(slot)) for slot in range(SILOS)}
    assert {slot: dealt[slot] for slot in known} == known
    for holders in ((0, 1, 2, 3, 4), (0, 3, 4, 5, 6), (2, 3, 4, 5, 6)):
        assert combine([dealt[slot] for slot in holders], lagrange_weights(holders)) == candidate


def point_of(slot: int) -> int:
    """Holders 0, 1, 2, 3, ... sit at 1, -1, 2, -2, ..."""
    return (slot // 2 + 1) * (-1) ** slot


def interpolated(points: list[tuple[int, int]], at: int) -> int:
    """Lagrange's formula in GF(p), for the polynomial through all `points`."""
    total = 0
    for x, y in points:
        factors = [((at - other) * pow(x - other, -1, PRIME)) for other, _ in points if other != x]
        term = y
        for factor in factors:
            term = term * factor % PRIME
        total += term
    return total % PRIME
