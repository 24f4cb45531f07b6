"""Random streams hang from (seed, purpose, layer) and on nothing else."""

import itertools

import numpy as np
import pytest

from winit.network.draws import Draws

DISTRIBUTIONS = ("normal", "uniform", "truncated_normal", "orthogonal")


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_a_draw_does_not_depend_on_what_was_drawn_before(distribution):
    first, second = Draws(5), Draws(5)
    second.standard("normal", "weights", 3, (8, 8))
    second.standard("uniform", "weights", 2, (8, 8))
    left, right = (d.standard(distribution, "weights", 2, (8, 8)) for d in (first, second))
    assert (left == right).all()


def test_seeds_purposes_layers_and_distributions_have_streams_of_their_own():
    drawn = [
        Draws(seed).standard(distribution, purpose, layer, (4, 4)).tobytes()
        for seed, distribution, purpose, layer in itertools.product(
            (0, 1), ("normal", "truncated_normal"), ("input", "weights", "readout"), (0, 1)
        )
    ]
    assert len(set(drawn)) == len(drawn)


def test_a_draw_is_made_once_and_cannot_be_written_to():
    draws = Draws(0)
    kept = draws.standard("normal", "weights", 1, (3, 3))
    assert draws.standard("normal", "weights", 1, (3, 3)) is kept
    with pytest.raises(ValueError, match="read-only"):
        kept[0, 0] = 1


@pytest.mark.parametrize("distribution", DISTRIBUTIONS[:3])
def test_standard_draws_have_mean_zero_and_variance_one(distribution):
    drawn = Draws(0).standard(distribution, "weights", 1, (500, 500)).astype(np.float64)
    assert drawn.mean() == pytest.approx(0, abs=0.01)
    assert drawn.var() == pytest.approx(1, abs=0.01)
    assert drawn.dtype == np.float64


def test_the_streams_are_the_same_for_ever():
    # Results in people's stores hang on these numbers.
    drawn = Draws(0).standard("normal", "weights", 1, (2, 2))
    assert drawn.tolist() == Draws(0).standard("normal", "weights", 1, (1, 4)).reshape(2, 2).tolist()
    assert drawn.ravel().tolist() == pytest.approx(FIRST_NORMALS, rel=1e-6)


FIRST_NORMALS = [0.9215221, -0.07576291, 1.967646, 0.1368176]
