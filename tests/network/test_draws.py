"""Random streams hang from (seed, purpose, layer) and on nothing else."""

import itertools
import weakref

import numpy as np
import pytest
import reference

from winit.network.draws import TRUNCATED_NORMAL_STD, Draws, Truncated

DISTRIBUTIONS = ("normal", "uniform", "truncated_normal", "orthogonal")


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_a_draw_does_not_depend_on_what_was_drawn_before(distribution):
    first, second = Draws(5), Draws(5)
    second.standard("normal", "weights", 3, (8, 8))
    second.standard("uniform", "weights", 2, (8, 8))
    left, right = (d.standard(distribution, "weights", 2, (8, 8)).values for d in (first, second))
    assert (left == right).all()


def test_seeds_purposes_layers_and_distributions_have_streams_of_their_own():
    drawn = [
        Draws(seed).standard(distribution, purpose, layer, (4, 4)).values.tobytes()
        for seed, distribution, purpose, layer in itertools.product(
            (0, 1), ("normal", "truncated_normal"), ("input", "weights", "readout"), (0, 1)
        )
    ]
    assert len(set(drawn)) == len(drawn)


def test_a_draw_is_made_once_and_cannot_be_written_to():
    draws = Draws(0)
    kept = draws.standard("normal", "weights", 1, (3, 3)).values
    assert draws.standard("normal", "weights", 1, (3, 3)).values is kept
    with pytest.raises(ValueError, match="read-only"):
        kept[0, 0] = 1


@pytest.mark.parametrize("distribution", DISTRIBUTIONS[:3])
def test_standard_draws_have_mean_zero_and_variance_one(distribution):
    drawn = Draws(0).standard(distribution, "weights", 1, (500, 500)).values.astype(np.float64)
    assert drawn.mean() == pytest.approx(0, abs=0.01)
    assert drawn.var() == pytest.approx(1, abs=0.01)
    assert drawn.dtype == np.float64


def test_the_streams_are_the_same_for_ever():
    # Results in people's stores depend on these numbers.
    drawn = Draws(0).standard("normal", "weights", 1, (2, 2)).values
    assert drawn.tolist() == Draws(0).standard("normal", "weights", 1, (1, 4)).values.reshape(2, 2).tolist()
    assert drawn.ravel().tolist() == pytest.approx(FIRST_NORMALS, rel=1e-6)


FIRST_NORMALS = [0.9215221, -0.07576291, 1.967646, 0.1368176]


def test_normals_and_uniforms_are_those_of_numpys_generator():
    for seed, layer in itertools.product((0, 7), (1, 5)):
        found = [
            Draws(seed).standard(name, "weights", layer, (31, 17)).values for name in ("normal", "uniform")
        ]
        expected = [
            make(seed, 1, layer, (31, 17), np.dtype(np.float32))
            for make in (reference.normal, reference.uniform)
        ]
        assert np.array_equal(found, expected)


def test_a_truncated_normal_is_drawn_again_where_it_is_beyond_two():
    generator = reference.stream(0, 1, 3, 2)
    expected = generator.standard_normal((40, 50), dtype=np.float32)
    while (outside := np.abs(expected) > 2).any():
        expected[outside] = generator.standard_normal(outside.sum(), dtype=np.float32)
    found = Draws(0).standard("truncated_normal", "weights", 3, (40, 50)).values
    assert np.array_equal(found, expected / np.float32(TRUNCATED_NORMAL_STD))


EVERY = (*DISTRIBUTIONS, Truncated(-1.0, 3.0))
SIZE = 8 * 8 * 4


@pytest.mark.parametrize("room", [0, SIZE - 1, SIZE, 2 * SIZE, 3 * SIZE + 1, np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_draws_do_not_depend_on_the_room_for_them(dtype, room):
    draws, endless = Draws(3, room), Draws(3)
    for _ in range(2):
        for distribution, layer in itertools.product(EVERY, (1, 2)):
            name = (distribution, "weights", layer, (8, 8), dtype)
            found, expected = draws.standard(*name), endless.standard(*name)
            assert found.values.dtype == dtype
            assert found.values.tobytes() == expected.values.tobytes()
            assert found.moments == expected.moments
            with pytest.raises(ValueError, match="read-only"):
                found.values[0, 0] = 1


def kept(standard):
    """Whether the draw is still there when nobody uses it."""
    return weakref.ref(standard.values)() is not None


def test_without_room_a_draw_is_kept_while_it_is_used_and_then_drawn_anew_the_same():
    standard = Draws(0, room=0).standard("normal", "weights", 1, (8, 8))
    first = standard.values
    assert standard.values is first
    known, place = first.copy(), weakref.ref(first)
    del first
    assert place() is None
    assert (standard.values == known).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("room", [0, 1, 2, 3])
def test_as_many_draws_are_kept_as_find_room(room, dtype):
    size = 64 * np.dtype(dtype).itemsize
    for spare in (0, size - 1):
        draws = Draws(0, room * size + spare)
        standards = [draws.standard("normal", "weights", layer, (8, 8), dtype) for layer in range(5)]
        assert [kept(standard) for standard in standards] == [layer < room for layer in range(5)]


def test_a_draw_that_finds_no_room_leaves_it_to_smaller_ones():
    draws = Draws(0, 100)
    large, small = (draws.standard("normal", "weights", 1, (size, 1)) for size in (26, 25))
    assert not kept(large)
    assert kept(small)


def test_the_moments_of_a_draw_are_those_of_its_entries():
    standard = Draws(0).standard("uniform", "weights", 1, (30, 20))
    wide = standard.values.astype(np.float64)
    assert standard.moments == pytest.approx((wide.mean(), wide.std()), rel=1e-12)
