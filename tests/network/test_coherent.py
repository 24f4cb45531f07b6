"""Theory of weights with a mean against sums over very many examples, and against networks in plain NumPy."""

import itertools
import math

import numpy as np
import pytest

from winit.network import coherent
from winit.network.activations import ACTIVATIONS, activation
from winit.network.cells import Probe
from winit.network.initializers import initializer
from winit.network.inputs import input_of
from winit.network.theory import predict

LABELS = [*(entry.label for entry in ACTIVATIONS.values()), "leaky_relu(negative_slope=-0.3)"]


def theory(init, phi, depth, width, **probe):
    return predict(initializer(init), activation(phi), depth, width, Probe(**probe))


def of_constants(phi, weight, bias, width, depth, source="normal"):
    """``coherent.signal`` of constant weights and biases."""
    nothing, ones = np.zeros(depth + 1), np.ones(depth + 1)
    scales = coherent.Scales(nothing, weight * ones, nothing, bias * ones)
    population = input_of(source).population(width)
    return coherent.signal(phi, scales, (0.0, weight), (width,) * (depth + 1), population, 10)


def by_examples(phi, weight, bias, width, depth, source="normal", examples=1 << 18):
    """The same of examples on a grid of Σx: h_mean, h_std, h_rms, z_std and g_std_ratio of each layer."""
    inputs = input_of(source).moments(width)
    t = (np.arange(examples) + 0.5) / examples * 16 - 8
    share = np.exp(-t * t / 2)
    share /= share.sum()
    (square,) = inputs.second_moments
    z = weight * (width * inputs.mean + math.sqrt(width * (square - inputs.mean**2)) * t) + bias
    rows, slopes = [], []
    for _ in range(depth):
        h, slope = phi(z)
        moments = share @ h, share @ h**2, share @ z, share @ z**2
        spread = share @ (h - moments[0]) ** 2, share @ (z - moments[2]) ** 2
        rows.append((moments[0], *np.sqrt([spread[0], moments[1], spread[1]])))
        slopes.append(slope)
        z = weight * width * h + bias
    square = np.ones(examples)
    ratios = [1.0]
    for slope in slopes[:0:-1]:
        square *= (weight * width * slope) ** 2
        ratios.append(math.sqrt(share @ square))
    return (*np.array(rows).T, np.array(ratios[::-1]))


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize(
    ("weight", "bias", "width", "source"),
    [(0.1, 0.0, 64, "normal"), (-0.1, 0.4, 64, "normal"), (1.0, 0.0, 1, "pairs(correlation=0.5)")],
)
def test_constant_weights_do_what_they_do_to_very_many_examples(label, weight, bias, width, source):
    phi = activation(label)
    with np.errstate(all="ignore"):
        *forward, ratios = by_examples(phi, weight, bias, width, 3, source)
    found = of_constants(phi, weight, bias, width, 3, source)
    for name, expected in zip(("h_mean", "h_std", "h_rms", "z_std"), forward, strict=True):
        finite = np.isfinite(expected)
        # What is constant but for rounding has no spread; of jumps a grid is right to its step.
        assert getattr(found, name)[1:][finite] == pytest.approx(expected[finite], rel=1e-4, abs=1e-5), name
    if np.isfinite(ratios).all():
        assert found.g_std_ratio[1:] == pytest.approx(ratios, rel=2e-3, abs=1e-12)


def test_the_gradient_through_constant_tanh_layers():
    assert theory("constant(0.1)", "tanh", 2, "500").g_std_ratio[1:] == pytest.approx([3.449, 1], rel=1e-4)
    three = theory("constant(0.1)", "tanh", 3, "500").g_std_ratio[1:]
    assert three == pytest.approx([24.385, 0.48776, 1], rel=1e-4)


@pytest.mark.parametrize("depth", [10, 40, 150])
def test_a_spike_of_the_gradient_is_found_however_narrow(depth):
    """∫ (50 tanh'(50^(l-1) a t))² dt = 2500 · 4/3 / (a 50^(l-1)); layers below multiply it by 50²."""
    ratios = theory("constant(0.1)", "tanh", depth, "500").g_std_ratio[1:]
    logs = np.log(ratios[:-1])
    assert np.diff(logs) == pytest.approx(-math.log(50), rel=1e-4)
    a = 0.1 * math.sqrt(500)
    last = math.log(2500 * 4 / 3 / a / math.sqrt(2 * math.pi)) - (depth - 1) * math.log(50)
    assert logs[-1] == pytest.approx(last / 2, abs=1e-4)


def test_a_spike_that_is_not_where_the_inputs_sum_to_zero():
    """-50 σ(z) has its fixed point at z*, where it is steep: factors are f'(z*) each, in the end."""
    found = of_constants(activation("sigmoid"), -0.1, 0.0, 500, 80).g_std_ratio[1:]
    z = -2.0
    for _ in range(200):  # Newton
        s = 1 / (1 + math.exp(-z))
        z -= (z + 50 * s) / (1 + 50 * s * (1 - s))
    s = 1 / (1 + math.exp(-z))
    steep = 50 * s * (1 - s)
    assert steep > 1
    growth = np.diff(np.log(found))
    # Of those that are near it still in the layers above, every layer multiplies the gradient by f'.
    assert growth[20:60] == pytest.approx(np.full(40, -math.log(steep)), rel=1e-6)
    assert np.isfinite(found).all()


def numpy_ratios(draw, phi, depth, width, seeds, batch):
    """g_std of each layer ÷ that of the last: root of the mean square over networks, in plain NumPy."""
    squares = np.zeros(depth)
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        weights = [draw(rng, (width, width)) for _ in range(depth)] + [draw(rng, (width, 10))]
        h, slopes = rng.standard_normal((batch, width)), []
        for w in weights[:-1]:
            h, slope = phi(h @ w)
            slopes.append(slope)
        g = rng.standard_normal((batch, 10)) @ weights[-1].T
        own = [np.mean(g**2)]
        for w, slope in zip(weights[-2:0:-1], slopes[:0:-1], strict=True):
            g = (g * slope) @ w.T
            own.append(np.mean(g**2))
        squares += np.array(own[::-1]) / own[0]
    return np.sqrt(squares / seeds)


def test_uniform_weights_from_zero_as_in_plain_numpy():
    ratios = theory("jax.uniform(scale=0.05)", "tanh", 5, "256").g_std_ratio[1:]
    assert ratios == pytest.approx([41.770, 6.5434, 1.02274, 0.161127, 1], rel=1e-4)
    measured = numpy_ratios(
        lambda rng, shape: rng.uniform(0, 0.05, shape), activation("tanh"), 5, 256, 8, 8000
    )
    assert measured == pytest.approx(ratios, rel=0.25)


@pytest.mark.parametrize("depth", [3, 4, 6, 12])
@pytest.mark.parametrize("width", [100, 1000])
@pytest.mark.parametrize("constant", [0.3, 2.0, 5.0, 6.13, -30.0])
def test_gradients_through_saturating_layers_are_those_of_the_closed_form(constant, width, depth):
    """They come from examples with Σx about 0, of which only tanh' ≈ 1 − tanh² of the last layer is felt."""
    steep = abs(constant) * width
    density = 1 / math.sqrt(2 * math.pi * width) / (abs(constant) * steep ** (depth - 1))
    wanted = [math.sqrt(steep ** (2 * (depth - layer)) * density * 4 / 3) for layer in range(1, depth)]
    found = theory(f"constant({constant})", "tanh", depth, f"{width}").g_std_ratio[1:-1]
    assert found == pytest.approx(wanted, rel=3 / steep)


def about_zero(phi, constant, width, depth):
    """h_std and g_std ÷ that of the last layer by sums over Σx, on nodes that are dense about 0."""
    log = np.linspace(math.log(1e-30), math.log(12 * math.sqrt(width)), 400_001)
    half = np.exp(log)
    sums = np.concatenate([-half[::-1], half])
    share = np.abs(sums) * np.exp(-(sums**2) / (2 * width))
    share /= share.sum()
    z, stds, slopes = constant * sums, [], []
    with np.errstate(all="ignore"):
        for _ in range(depth):
            h, slope = (values[:, 0] for values in phi(z[:, None]))
            stds.append(math.sqrt(share @ (h - share @ h) ** 2))
            slopes.append(constant * width * slope)
            z = constant * width * h
        found, product = [1.0], np.ones(len(sums))
        for slope in slopes[:0:-1]:
            product = product * slope
            found.append(math.sqrt(share @ product**2))
    return stds, found[::-1]


@pytest.mark.parametrize(
    ("phi", "constant", "width", "depth"),
    [
        ("silu", -3.0, 1000, 3),
        ("silu", -3.0, 500, 3),
        ("silu", -0.805, 50, 5),
        ("mish", -3.0, 1000, 3),
        ("softplus", -3.0, 1000, 3),
        ("gelu", -1.82, 1000, 4),
        ("gelu", 1.14, 1000, 4),
        ("log_sigmoid", -7.77, 1000, 4),
        ("silu", -9.67, 50, 4),
        ("softplus", -7.64, 1000, 4),
        ("tanh_shrink", 0.833, 2, 4),
        ("selu", -2.0, 100, 4),
        ("softsign", 4.0, 200, 5),
        ("leaky_relu", -1.0, 300, 4),
        ("hard_tanh", 3.0, 500, 6),
    ],
)
def test_what_a_few_examples_about_zero_do_is_followed(phi, constant, width, depth):
    stds, ratios = about_zero(activation(phi), constant, width, depth)
    found = theory(f"constant({constant})", phi, depth, f"{width}")
    assert found.h_std[1:] == pytest.approx(stds, rel=1e-3)
    assert found.g_std_ratio[1:] == pytest.approx(ratios, rel=1e-3)


@pytest.mark.parametrize(
    ("phi", "mean", "width", "depth"),
    [("tanh", 5.0, 500, 6), ("tanh", 3.0, 500, 12), ("silu", -3.0, 1000, 3), ("sigmoid", 2.0, 300, 5)],
)
def test_as_weights_spread_less_they_do_what_constant_ones_do(phi, mean, width, depth):
    same = theory(f"constant({mean})", phi, depth, f"{width}")
    for std in (1e-30, 1e-16, 1e-13, 1e-11, 1e-9):
        found = theory(f"normal(mean={mean},std={std})", phi, depth, f"{width}")
        assert found.h_std[1:] == pytest.approx(same.h_std[1:], rel=1e-6)
        assert found.g_std_ratio[1:] == pytest.approx(same.g_std_ratio[1:], rel=1e-6)


def by_grids(phi, weight, bias, width, depth):
    """``weight`` and ``bias`` are (std, mean): sums over grids of Σx and of the units."""
    (std, mean), (bias_std, bias_mean) = weight, bias
    t, z = np.linspace(-9, 9, 1501), np.linspace(-9, 9, 801)
    share, of_unit = (np.exp(-x * x / 2) / np.exp(-x * x / 2).sum() for x in (t, z))
    m, v = mean * math.sqrt(width) * t + bias_mean, np.full(len(t), std**2 * width + bias_std**2)
    stds, slopes = [], []
    for _ in range(depth):
        h, slope = phi(m[:, None] + np.sqrt(v)[:, None] * z)
        first, second = h @ of_unit, (h * h) @ of_unit
        slopes.append((slope @ of_unit, (slope * slope) @ of_unit))
        stds.append(math.sqrt(share @ second - (share @ first) ** 2))
        m, v = mean * width * first + bias_mean, std**2 * width * second + bias_std**2
    common, about = np.full(len(t), mean**2), np.full(len(t), std**2)
    found = [share @ (common + about)]
    for slope, square in slopes[:0:-1]:
        every, shared = square * (common + about), slope**2 * common
        common = mean**2 * (width**2 * shared + width * (every - shared))
        about = std**2 * width * every
        found.append(share @ (common + about))
    return np.array(stds), np.sqrt(np.array(found[::-1]) / found[0])


@pytest.mark.parametrize(
    ("label", "weight", "bias"),
    list(
        itertools.product(
            ["tanh", "sigmoid", "gelu", "silu", "erf", "sin(omega=3.0)", "cos"],
            [(0.01, 0.03), (0.1, 0.02), (0.02, -0.05)],
            [(0.0, 0.0), (0.2, 0.3)],
        )
    ),
)
def test_random_weights_with_a_mean_do_what_sums_over_grids_do(label, weight, bias):
    phi, width, depth = activation(label), 64, 3
    ones = np.ones(depth + 1)
    scales = coherent.Scales(*(part * ones for part in (*weight, *bias)))
    population = input_of("normal").population(width)
    found = coherent.signal(phi, scales, weight, (width,) * (depth + 1), population, 10)
    stds, ratios = by_grids(phi, weight, bias, width, depth)
    assert found.h_std[1:] == pytest.approx(stds, rel=1e-3)
    assert found.g_std_ratio[1:] == pytest.approx(ratios, rel=1e-3)


def test_squares_beyond_the_range_of_numbers_are_followed():
    """Depth 110 of relu with constant weights: h_std = 50^109 · that of layer 1, beyond 1e185."""
    found = theory("constant(0.1)", "relu", 110, "500")
    assert np.diff(np.log(found.h_std[1:])) == pytest.approx(math.log(50), rel=1e-9)
    assert np.diff(np.log(found.g_std_ratio[1:-1])) == pytest.approx(-math.log(50), rel=1e-9)
    assert found.q[-1] == math.inf
    assert found.h_std[-1] == pytest.approx(found.h_std[1] * 50.0**109, rel=1e-9)
    small = theory("constant(1e-4)", "identity", 150, "100")
    assert small.h_std[-1] == pytest.approx(small.h_std[1] * 0.01**149, rel=1e-9)


def test_waves_that_fold_examples_without_end_are_sampled_or_not_predicted():
    found = of_constants(activation("sin"), 0.1, 0.3, 500, 6)
    # Phases of 50 radians are all but uniform: E sin² = 1/2, E (50 cos)² = 1250.
    assert found.h_rms[3:] == pytest.approx(math.sqrt(0.5), rel=0.05)
    ratios = found.g_std_ratio[1:]
    said = np.isfinite(ratios)
    assert said[-3:].all()
    assert ratios[said] == pytest.approx(1250.0 ** (np.arange(5, -1, -1)[said] / 2), rel=0.3)


def test_images_are_followed_one_by_one():
    found = theory("constant(0.1)", "tanh", 3, "32", input="digits")
    x = input_of("digits").population(64).sums
    m = 0.1 * x
    squares = np.ones(len(x))
    for _ in range(2):
        m = 3.2 * np.tanh(m)
        squares *= (3.2 * (1 - np.tanh(m) ** 2)) ** 2
    assert found.g_std_ratio[1] == pytest.approx(math.sqrt(squares.mean()), rel=1e-9)
