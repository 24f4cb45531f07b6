"""The data sets: what they promise of themselves, and that nothing held out is trained on."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from winit.network.datasets import DATASETS, dataset
from winit.network.draws import Draws
from winit.network.labels import LabelError


@pytest.mark.parametrize("entry", DATASETS.values(), ids=lambda entry: entry.name)
def test_a_data_set_is_what_its_entry_says(entry):
    data = dataset(entry.label).split(Draws(3))
    assert data.x.shape == (entry.examples, entry.width)
    assert data.held_out_x.shape[1] == entry.width
    for x, labels in ((data.x, data.labels), (data.held_out_x, data.held_out_labels)):
        assert len(x) == len(labels)
        assert np.isfinite(x).all()
        counts = np.bincount(labels, minlength=entry.classes)
        assert len(counts) == entry.classes
        assert counts.min() > 0.9 * counts.max()


@pytest.mark.parametrize("entry", DATASETS.values(), ids=lambda entry: entry.name)
def test_nothing_that_is_held_out_is_trained_on(entry):
    data = dataset(entry.label).split(Draws(0))
    seen = {tuple(row) for row in data.x.tolist()}
    apart = [tuple(row) not in seen for row in data.held_out_x.tolist()]
    # The three arms of the spiral begin in one point, which has no noise.
    assert np.mean(apart) >= (0.99 if entry.name == "spiral" else 1)


def test_digits_are_all_images_once_with_their_classes():
    pixels, targets = load_digits(return_X_y=True)
    data = dataset("integer_digits").split(Draws(0))
    found = np.concatenate([data.x, data.held_out_x])
    classes = np.concatenate([data.labels, data.held_out_labels])
    as_rows = lambda x, y: sorted(map(tuple, np.column_stack([x, y]).tolist()))  # noqa: E731
    assert as_rows(found, classes) == as_rows(pixels, targets)
    scaled = dataset("digits").split(Draws(0))
    assert scaled.x == pytest.approx((data.x - pixels.mean()) / pixels.std())
    assert (scaled.labels == data.labels).all()


def test_the_arms_of_the_spiral_turn_and_their_noise_comes_from_the_seed():
    still = dataset("spiral(noise=0)").split(Draws(0))
    radius = np.hypot(*still.x.T)
    angle = np.arctan2(still.x[:, 0], still.x[:, 1])
    expected = 4 * (still.labels + radius)
    turns = (angle - expected)[radius > 0] / (2 * np.pi)
    assert turns == pytest.approx(np.rint(turns), abs=1e-9)
    assert (still.x == still.held_out_x).all()
    noisy = [dataset("spiral").split(Draws(seed)) for seed in (0, 0, 1)]
    assert (noisy[0].x == noisy[1].x).all()
    assert not (noisy[0].x == noisy[2].x).any(axis=1)[1:100].any()
    assert np.hypot(*noisy[0].x.T) == pytest.approx(radius)


def test_what_is_no_data_set_is_refused_with_the_mend():
    with pytest.raises(LabelError, match="did you mean 'digits'"):
        dataset("digit")
    with pytest.raises(LabelError, match="at least 0"):
        dataset("spiral(noise=-1)")
