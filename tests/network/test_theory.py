"""Theory against simulation: what each layer does, and how far a width lets it stray."""

import itertools
import math

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from winit.network.activations import ACTIVATIONS, activation
from winit.network.cells import Cell, Probe
from winit.network.initializers import INITIALIZERS, initializer
from winit.network.kernel import measure
from winit.network.labels import LabelError
from winit.network.theory import predict, predicted_stds

IID = [entry.label for entry in INITIALIZERS.values() if initializer(entry.label).is_iid]


def theory(init, phi, depth=3, width="64", **probe):
    return predict(initializer(init), activation(phi), depth, width, Probe(**probe))


def logs(init, phi, depth, width, seeds, **probe):
    """Log of measured ÷ predicted, of h_std and of g_std ÷ that of the last layer: shape (seeds, depth)."""
    probe = Probe(**probe, histograms=False)
    predicted = predict(initializer(init), activation(phi), depth, width, probe)
    tables = [m.table for m in measure(Cell(init, phi, depth, width, seed, probe) for seed in seeds)]
    h = np.array([t["h_std"][1:] for t in tables]) / predicted.h_std[1:]
    with np.errstate(invalid="ignore"):  # no gradient passes through sign
        g = np.array([t["g_std"][1:] / t["g_std"][-1] for t in tables]) / predicted.g_std_ratio[1:]
    return predicted.spread, np.log(h), np.log(g)


WIDE = [
    *itertools.product(
        ("he_uniform", "mean_field(sigma_w=1.7, sigma_b=0.3)"), ("tanh", "relu", "gelu", "softplus")
    ),
    *itertools.product(("lecun_normal", "jax.glorot_normal"), ("erf", "sin", "selu", "hard_tanh")),
    *(("critical", phi) for phi in ("tanh", "relu", "sigmoid")),
]


def test_at_width_2048_simulation_is_within_three_standard_errors():
    seeds, depth = (0, 1), 4
    probe = Probe(batch=48, histograms=False)
    cells = [Cell(init, phi, depth, "2048", seed, probe) for init, phi in WIDE for seed in seeds]
    with threadpool_limits(1):
        tables = {(m.cell.initializer, m.cell.activation, m.cell.seed): m.table for m in measure(cells)}
    for init, phi in WIDE:
        predicted = predict(initializer(init), activation(phi), depth, "2048", probe)
        of_network = [tables[init, phi, seed] for seed in seeds]
        for name, measured, shift, spread in (
            ("h_std", [t["h_std"] for t in of_network], "h_std_shift", "h_std"),
            (
                "g_std_ratio",
                [t["g_std"] / t["g_std"][-1] for t in of_network],
                "g_std_ratio_shift",
                "g_std_ratio",
            ),
        ):
            log = np.log(np.array(measured)[:, 1:depth] / getattr(predicted, name)[1:depth]).mean(axis=0)
            error = getattr(predicted.spread, spread)[1:depth] / math.sqrt(len(seeds))
            z = (log - getattr(predicted.spread, shift)[1:depth]) / error
            assert (np.abs(z) < 3).all(), (init, phi, name, z)
            assert (np.abs(log) < 0.05).all(), (init, phi, name, log)


@pytest.mark.parametrize("width", ["1000", "1200-800"])
@pytest.mark.parametrize(
    ("init", "phi"),
    [
        ("lecun_normal", "tanh"),
        ("he_uniform", "relu"),
        ("glorot_normal", "sigmoid"),
        ("mean_field(sigma_w=1.5, sigma_b=0.3)", "gelu"),
        ("normal(std=0.01)", "tanh"),
        ("constant(value=0.02)", "tanh"),
        ("zeros", "relu"),
    ],
)
@pytest.mark.parametrize("input_", ["normal", "uint8"])
def test_the_size_of_the_output_is_that_of_theory(init, phi, width, input_):
    probe = Probe(batch=200, outputs=400, input=input_, histograms=False)
    predicted = predict(initializer(init), activation(phi), 3, width, probe)
    assert np.isnan(predicted.y_std[:-1]).all()
    tables = [m.table for m in measure(Cell(init, phi, 3, width, seed, probe) for seed in (0, 1))]
    found = np.mean([table["y_std"][-1] for table in tables])
    assert found == pytest.approx(predicted.y_std[-1], rel=0.12, abs=1e-12)


@pytest.mark.parametrize("init", IID)
def test_what_is_asked_for_quickly_is_the_same(init):
    try:
        whole = theory(init, "gelu")
        quick = predicted_stds(initializer(init), activation("gelu"), 3, "64", Probe())
    except LabelError:  # not for this activation
        return
    assert (whole is None) is (quick is None)
    if whole is not None:
        assert np.array_equal(quick, (whole.h_std, whole.y_std), equal_nan=True)


@pytest.mark.parametrize(
    ("init", "phi"),
    [
        ("lecun_normal", "tanh"),
        ("he_normal", "relu"),
        ("he_normal", "gelu"),
        ("glorot_uniform", "erf"),
        ("mean_field(sigma_w=2.0, sigma_b=0.5)", "tanh"),
        ("lecun_normal", "selu"),
    ],
)
def test_seeds_spread_as_the_width_lets_expect(init, phi):
    seeds = range(160)
    spread, *found = logs(init, phi, 8, "96", seeds, batch=8)
    for log, name in zip(found, ("h_std", "g_std_ratio"), strict=True):
        layers = slice(None) if name == "h_std" else slice(0, -1)  # the last one's ratio is 1
        expected = getattr(spread, name)[1:][layers]
        assert log.std(axis=0, ddof=1)[layers] == pytest.approx(expected, rel=0.25), name
        shift = getattr(spread, f"{name}_shift")[1:][layers]
        z = (log.mean(axis=0)[layers] - shift) / (expected / math.sqrt(len(seeds)))
        assert (np.abs(z) < 3.5).all(), name


def test_a_relu_gradient_spreads_by_five_over_the_width_a_layer():
    spread = theory("he_normal", "relu", depth=11, width="1000", batch=1, outputs=100_000).spread
    variance = (2 * spread.g_std_ratio) ** 2  # of the log of the mean square
    assert variance[1] - variance[6] == pytest.approx(5 * 5 / 1000, rel=1e-4)


def test_the_spread_goes_with_the_inverse_root_of_the_width():
    narrow, wide = (theory("lecun_normal", "tanh", depth=5, width=w, batch=1).spread for w in ("50", "200"))
    assert narrow.h_std[1:] == pytest.approx(2 * wide.h_std[1:], rel=0.05)
    assert narrow.g_std_ratio[1:-1] == pytest.approx(2 * wide.g_std_ratio[1:-1], rel=0.05)


@pytest.mark.parametrize("init", IID)
def test_every_iid_initializer_has_a_prediction_for_some_activations(init):
    for phi in ("tanh", "relu", "sigmoid", "sign"):
        try:
            initializer(init).try_with(activation(phi))
        except LabelError:
            continue
        predicted = theory(init, phi, depth=2, width="12")
        for name in ("h_std", "h_second_moment", "h_mean", "q"):
            assert np.isfinite(getattr(predicted, name)[1:]).all(), (init, phi, name)


@pytest.mark.parametrize("phi", [entry.label for entry in ACTIVATIONS.values()])
@pytest.mark.parametrize("init", ["zeros", "ones", "lecun_normal", "torch.linear", "normal(std=1.0)"])
def test_every_activation_has_a_prediction_for_some_initializers(init, phi):
    predicted = theory(init, phi, depth=3, width="8", bias_std=30.0 if init == "zeros" else 0.0)
    if (init, phi) == ("ones", "exponential"):
        return  # beyond all numbers from the second layer on
    for name in ("h_std", "h_second_moment", "h_mean", "q"):  # inf where e^z overflows
        assert not np.isnan(getattr(predicted, name)[1:]).any(), name
    assert (predicted.h_std[1:] >= 0).all()


@pytest.mark.parametrize("init", ["orthogonal", "lsuv", "identity", "torch.sparse(sparsity=0.5)"])
def test_theory_says_nothing_of_weights_that_are_not_iid(init):
    assert theory(init, "tanh") is None


def test_the_variance_map_of_a_linear_network_is_exact():
    predicted = theory("normal(std=0.25)", "identity", depth=3, width="64", bias_std=0.5)
    assert predicted.q[1:] == pytest.approx([4.25, 17.25, 69.25])
    assert predicted.g_std_ratio[1:] == pytest.approx([4, 2, 1])
    assert predicted.sigma_w[1:] == pytest.approx(2)
    assert predicted.sigma_b[1:] == pytest.approx(0.5)


def test_a_taper_lets_gradients_grow_by_the_ratio_of_the_widths():
    predicted = theory("lecun_normal", "identity", depth=3, width="64-16")
    assert predicted.g_std_ratio[1:] ** 2 == pytest.approx([16 / 64, 16 / 32, 1])
    assert predicted.limits is not None


def test_limits_need_the_same_law_in_every_layer():
    assert theory("normal(std=0.1)", "tanh", depth=3, width="64-16").limits is None
    assert theory("normal(std=0.1)", "tanh", depth=3, width="64").limits is not None
    # The first layer of real images has another fan_in.
    assert theory("glorot_normal", "tanh", depth=3, width="32", input="digits", batch=9).limits is not None


@pytest.mark.parametrize("init", ["mean_field(sigma_w=2.5, sigma_b=0.2)", "lecun_normal"])
def test_the_correlation_of_pairs_goes_as_predicted(init):
    probe = Probe(batch=200, input="pairs(correlation=0.6)", histograms=False)
    predicted = predict(initializer(init), activation("tanh"), 8, "600", probe)
    tables = [m.table for m in measure(Cell(init, "tanh", 8, "600", seed, probe) for seed in range(3))]
    measured = np.mean([t["pair_correlation"] for t in tables], axis=0)
    assert measured[:2] == pytest.approx([0.6, predicted.pair_correlation[1]], abs=0.01)
    assert measured == pytest.approx(predicted.pair_correlation, abs=0.02)


@pytest.mark.parametrize("source", ["normal", "uint8"])
@pytest.mark.parametrize("phi", ["relu", "erf"])
def test_the_cosine_of_two_examples_goes_as_predicted(source, phi):
    probe = Probe(batch=64, input=source, histograms=False)
    predicted = predict(initializer("he_normal"), activation(phi), 5, "800", probe)
    (found,) = measure([Cell("he_normal", phi, 5, "800", 0, probe)])
    assert found.table["cosine_mean"] == pytest.approx(predicted.cosine_mean, abs=0.03)


def test_images_of_different_sizes_are_followed_apart():
    spread, h, g = logs("he_normal", "tanh", 4, "500", range(4), batch=800, input="digits")
    assert np.abs(h.mean(axis=0)).max() < 0.01
    assert np.abs(g.mean(axis=0)).max() < 0.03
    assert np.isfinite(spread.h_std[1:]).all()


@pytest.mark.parametrize("init", ["constant(value=0.1)", "jax.uniform", "torch.uniform", "ones"])
@pytest.mark.parametrize("phi", ["tanh", "relu", "gelu", "identity"])
@pytest.mark.parametrize("source", ["normal", "digits", "uint8"])
def test_weights_with_a_mean_do_as_predicted(init, phi, source):
    probe = Probe(batch=500, input=source, histograms=False, dtype="float64")
    predicted = predict(initializer(init), activation(phi), 3, "300", probe)
    tables = [m.table for m in measure(Cell(init, phi, 3, "300", seed, probe) for seed in range(3))]
    measured = np.mean([t["h_std"] for t in tables], axis=0)[1:]
    assert measured == pytest.approx(predicted.h_std[1:], rel=0.06, abs=1e-7)
    mean = np.mean([t["h_mean"] for t in tables], axis=0)[1:]
    assert mean == pytest.approx(predicted.h_mean[1:], abs=0.1 * max(predicted.h_std[1:]) + 1e-9)
    assert np.isnan(predicted.spread.h_std).all()


def test_gradients_through_constant_weights_are_exact_for_a_linear_network():
    predicted = theory("constant(value=0.1)", "identity", depth=3, width="300")
    assert predicted.g_std_ratio[1:] == pytest.approx([900, 30, 1])
    assert predicted.h_second_moment[1:] == pytest.approx([3, 2700, 2430000])


@pytest.mark.parametrize(
    ("init", "phi", "depth", "width"),
    [
        ("normal(std=1.0)", "relu", 100, "500"),
        ("normal(std=0.0001)", "tanh", 30, "1000"),
        ("normal(std=0.01)", "tanh", 200, "500"),
        ("mean_field(sigma_w=1.5, sigma_b=0.3)", "exponential", 3, "8"),
        ("haiku.linear", "exponential", 3, "8"),
    ],
)
def test_what_over_or_underflows_is_predicted_as_far_as_numbers_go(init, phi, depth, width):
    predicted = theory(init, phi, depth=depth, width=width)
    assert not np.isnan(predicted.q[1:]).any()
    assert predicted.limits.q_star in {0.0, math.inf}


def test_an_activation_that_is_all_but_constant_keeps_its_spread():
    tiny = theory("normal(std=1e-9)", "sigmoid")
    assert tiny.h_std[2] == pytest.approx(tiny.sigma_w[2] * tiny.h_second_moment[1] ** 0.5 / 4, rel=1e-6)
    # Rounding leaves no digit of how it strays.
    assert np.isnan(tiny.spread.h_std[2])
    constant = theory("constant(value=0.01)", "sigmoid", depth=10, width="500", dtype="float64")
    probe = Probe(batch=1000, dtype="float64", histograms=False)
    (found,) = measure([Cell("constant(value=0.01)", "sigmoid", 10, "500", 0, probe)])
    ratios = found.table["h_std"][1:4] / constant.h_std[1:4]
    assert ratios == pytest.approx([1, 1, 1], rel=0.1)
    assert constant.h_std[10] < 1e-12


@pytest.mark.parametrize(
    ("init", "phi", "source"),
    [
        # φ² is constant, φ² is nearly so, and φ has a period that is small beside √q.
        ("lecun_normal", "sign", "normal"),
        ("lecun_normal", "tanh", "uint8"),
        ("lecun_normal", "sin(omega=30.0)", "uint8"),
        ("lecun_uniform", "tanh", "pairs(correlation=0.5)"),
    ],
)
def test_the_spread_holds_where_first_order_vanishes(init, phi, source):
    seeds = range(120)
    spread, log, _ = logs(init, phi, 2, "100", seeds, batch=20, input=source)
    assert log.std(axis=0, ddof=1) == pytest.approx(spread.h_std[1:], rel=0.35)
    z = (log.mean(axis=0) - spread.h_std_shift[1:]) / (spread.h_std[1:] / math.sqrt(len(seeds)))
    assert (np.abs(z) < 4).all()


def test_zeros_go_nowhere():
    predicted = theory("zeros", "sigmoid")
    assert predicted.h_mean[1:] == pytest.approx(0.5)
    assert (predicted.h_std[1:] == 0).all()
    assert predicted.limits.q_star == 0
