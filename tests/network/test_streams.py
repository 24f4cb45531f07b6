"""Compiled draws against those of NumPy's generator, bit for bit."""

import numpy as np
import pytest

from winit.network.streams import Stream


def pair(seed, *key):
    sequence = np.random.SeedSequence(seed, spawn_key=key)
    return Stream(sequence), np.random.Generator(np.random.SFC64(sequence))


@pytest.mark.parametrize("seed", [0, 1, 2**63 + 11])
def test_millions_of_normals_are_those_of_numpy(seed):
    stream, generator = pair(seed, 1, 2)
    found = stream.normal((1501, 1001))
    assert found.dtype == np.float32
    assert found.tobytes() == generator.standard_normal((1501, 1001), dtype=np.float32).tobytes()
    assert np.abs(found).max() > 4  # in the tail, which has a way of its own


@pytest.mark.parametrize("seed", [0, 1, 2**63 + 11])
def test_millions_of_uniforms_are_those_of_numpy(seed):
    stream, generator = pair(seed)
    found = stream.uniform((1501, 1001))
    assert found.dtype == np.float32
    assert found.tobytes() == generator.random((1501, 1001), dtype=np.float32).tobytes()
    assert found.min() >= 0
    assert found.max() < 1


def test_a_stream_goes_on_where_the_last_draw_ended():
    # Two draws come of one number of the generator, so that odd sizes leave one for the next draw.
    sizes = np.random.default_rng(0)
    for seed in range(20):
        stream, generator = pair(seed)
        for _ in range(100):
            shape = tuple(sizes.integers(0, 20, sizes.integers(1, 4)).tolist())
            if sizes.random() < 0.5:
                found, expected = stream.normal(shape), generator.standard_normal(shape, dtype=np.float32)
            else:
                found, expected = stream.uniform(shape), generator.random(shape, dtype=np.float32)
            assert found.shape == expected.shape
            assert found.tobytes() == expected.tobytes()


def test_a_size_may_be_a_number():
    stream, generator = pair(3)
    assert stream.normal(7).tolist() == generator.standard_normal(7, dtype=np.float32).tolist()
    assert stream.uniform(7).tolist() == generator.random(7, dtype=np.float32).tolist()


def test_a_draw_in_parts_is_the_draw_as_a_whole():
    whole, parts = pair(5)[0], pair(5)[0]
    sizes = (1, 4096, 33_333, 2, 99_999)
    drawn = np.concatenate([parts.normal(size) for size in sizes])
    assert whole.normal(sum(sizes)).tobytes() == drawn.tobytes()
