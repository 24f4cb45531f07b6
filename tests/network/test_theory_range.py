"""Theory where squares, or variances, are beyond the range of numbers, and where φ turns far from 1."""

import math
from dataclasses import fields
from decimal import Decimal

import numpy as np
import pytest

from winit.network.activations import activation
from winit.network.cells import Probe
from winit.network.initializers import initializer
from winit.network.quadrature import mean, root_mean_square
from winit.network.theory import predict

HOMOGENEOUS = ["identity", "relu", "leaky_relu", "prelu", "abs", "leaky_relu(negative_slope=-3.0)"]


def theory(init, phi, depth=3, width="64", **probe):
    return predict(initializer(init), activation(phi), depth, width, Probe(**probe))


def test_a_deep_product_is_exact_as_long_as_it_is_a_number():
    found = theory("normal(std=1.0)", "identity", 200, "256", dtype="float64")
    for layer in (1, 100, 200):
        assert found.h_std[layer] == pytest.approx(float(Decimal(16) ** layer), rel=1e-12)
        assert found.z_std[layer] == pytest.approx(found.h_std[layer], rel=1e-12)
        assert found.g_std_ratio[layer] == pytest.approx(float(Decimal(16) ** (200 - layer)), rel=1e-12)
    assert found.q[200] == found.h_second_moment[200] == math.inf
    assert found.q[100] == pytest.approx(float(Decimal(256) ** 100), rel=1e-12)
    small = theory("normal(std=0.01)", "identity", 300, "256", dtype="float64")
    for layer in (1, 200, 256, 300):
        assert small.h_std[layer] == pytest.approx(float(Decimal("0.16") ** layer), rel=1e-12)
        assert small.g_std_ratio[layer] == pytest.approx(float(Decimal("0.16") ** (300 - layer)), rel=1e-12)
    beyond = theory("normal(std=1.0)", "identity", 260, "256")
    assert beyond.h_std[255] < math.inf == beyond.h_std[256] == beyond.h_std[260]


@pytest.mark.parametrize("phi", HOMOGENEOUS)
@pytest.mark.parametrize("source", ["normal", "digits", "pairs(correlation=0.5)"])
def test_what_scales_with_its_input_does_so_to_the_ends_of_the_range_of_numbers(phi, source):
    """Weights 2ᵏ times as large multiply layer l by 2^(kl) and change nothing else."""
    small, depth = theory("normal(std=0.125)", phi, 8, "64", input=source, batch=100), 8
    for k in (-110, -60, 60, 110):
        scaled = theory(f"normal(std={0.125 * 2.0**k!r})", phi, 8, "64", input=source, batch=100)
        layers = np.arange(depth + 1)
        for name in ("z_std", "h_std", "h_mean"):
            expected = np.ldexp(getattr(small, name), k * layers)[1:]
            rounding = 1e-14 * np.ldexp(small.z_std, k * layers)[1:]
            error = np.abs(getattr(scaled, name)[1:] - expected)
            assert (error <= 1e-12 * np.abs(expected) + rounding).all(), name
        expected = np.ldexp(small.g_std_ratio, k * (depth - layers))[1:]
        assert scaled.g_std_ratio[1:] == pytest.approx(expected, rel=1e-12)
        for name in ("pair_correlation", "cosine_mean"):
            assert getattr(scaled, name) == pytest.approx(getattr(small, name), rel=1e-12, nan_ok=True), name
        for field in fields(small.spread):
            before, after = (getattr(each.spread, field.name) for each in (small, scaled))
            assert after == pytest.approx(before, rel=1e-9, abs=1e-12, nan_ok=True), field.name
        assert scaled.limits.q_star == (math.inf if k > 0 else 0.0)


@pytest.mark.parametrize("root", [1e-290, 1e-180, 1e-120, 1e120, 1e180, 1e290])
def test_moments_at_the_ends_of_the_range_of_numbers(root):
    """Tails of tanh, relu, erf, hard_tanh and softsign as powers of the standard deviation."""
    for label in ("tanh", "erf", "softsign", "hard_tanh", "silu", "sin"):
        phi, large = activation(label), root > 1
        rms = float(root_mean_square(phi, root, h=1))
        slope = float(root_mean_square(phi, root, slope=1))
        if label == "silu":
            assert rms == pytest.approx(root * (math.sqrt(0.5) if large else 0.5), rel=1e-12)
            assert slope == pytest.approx(math.sqrt(0.5) if large else 0.5, rel=1e-12)
        elif not large:
            steep = 2 / math.sqrt(math.pi) if label == "erf" else 1.0
            assert (rms, slope) == pytest.approx((steep * root, steep), rel=1e-12)
        elif label == "sin":
            assert (rms, slope) == pytest.approx((math.sqrt(0.5),) * 2, rel=1e-12)
        else:
            # ∫ φ'² du, over √(2π) root.
            integral = {
                "tanh": 4 / 3,
                "erf": 4 / math.pi * math.sqrt(math.pi / 2),
                "softsign": 2 / 3,
                "hard_tanh": 2,
            }
            square = integral[label] / math.sqrt(2 * math.pi)
            assert rms == pytest.approx(1, rel=1e-12)
            assert slope == pytest.approx(math.sqrt(square) / math.sqrt(root), rel=1e-9)
        assert abs(float(mean(phi, root))) <= rms


def test_the_spread_of_a_constant_is_the_slope_times_what_it_is_fed():
    for std in (1e-9, 1e-30, 1e-200):
        found = theory(f"normal(std={std})", "sigmoid", 2, "100", dtype="float64")
        assert found.h_std[1] == pytest.approx(std * 10 / 4, rel=1e-9)
        assert found.h_std[2] == pytest.approx(std * 10 / 2 / 4, rel=1e-9)
    # 1 − cos is u²/2, whose standard deviation is q / √2.
    flat = theory("normal(std=1e-9)", "cos", 1, "100", dtype="float64")
    assert flat.h_std[1] == pytest.approx(1e-16 / math.sqrt(2), rel=1e-9)


@pytest.mark.parametrize("start", ["1e-100", "1e30"])
@pytest.mark.parametrize("phi", ["relu", "tanh", "gelu"])
def test_limits_do_not_depend_on_whether_a_variance_is_a_number(start, phi):
    found = theory(f"normal(std={start})", phi, 2, "64", dtype="float64").limits
    if float(start) < 1:
        assert found.q_star == 0
    else:
        assert found.q_star == (pytest.approx(64e60, rel=1e-9) if phi == "tanh" else math.inf)


EXTREME = [
    *(f"sin(omega={omega})" for omega in ("1e9", "1e30", "1e-30")),
    *(f"cos(omega={omega})" for omega in ("-1e12", "1e-12")),
    *(f"celu(alpha={alpha})" for alpha in ("1e-12", "1e20")),
    *(f"elu(alpha={alpha})" for alpha in ("1e30", "1e-30", "-1.0")),
    *(f"softplus(beta={beta})" for beta in ("1e12", "1e-20")),
    *(f"squareplus(b={b})" for b in ("1e-30", "1e30")),
    *(
        f"{shrink}(threshold={value})"
        for shrink in ("soft_shrink", "hard_shrink")
        for value in ("1e-10", "1e30")
    ),
    *(f"threshold(threshold={value}, value=0.5)" for value in ("1e30", "-1e30")),
    *(f"leaky_relu(negative_slope={slope})" for slope in ("1e20", "-1e-20")),
]


@pytest.mark.parametrize("phi", EXTREME)
@pytest.mark.parametrize("init", ["he_normal", "constant(0.1)", "normal(std=1e30)", "normal(std=1e-200)"])
def test_activations_with_extreme_arguments_have_a_theory(init, phi):
    found = theory(init, phi, 3, "50", dtype="float64")
    assert (found.h_std[1:] >= 0).all()
    assert not np.isnan(found.z_std[1:]).any()


@pytest.mark.parametrize("omega", ["1e9", "-1e12", "1e30", "30.0"])
def test_a_fast_sine_is_half_of_one(omega):
    found = theory("he_normal", f"sin(omega={omega})", 3, "50")
    assert found.h_second_moment[1:] == pytest.approx(0.5)
    # σ_w² E φ'² = 2 · ω²/2.
    assert found.g_std_ratio[1:] == pytest.approx([float(omega) ** 2, abs(float(omega)), 1])


@pytest.mark.parametrize(
    ("phi", "scale"),
    [
        ("softplus(beta={})", 1.0),
        ("celu(alpha={})", -1.0),
        ("soft_shrink(threshold={})", -1.0),
        ("sin(omega={})", 1.0),
    ],
)
@pytest.mark.parametrize("size", [1e-18, 1e-8, 1e8, 1e18])
def test_a_change_of_units_is_no_change(phi, scale, size):
    """φ(s z) / s of the scaled argument is φ: E φ² at q s² is that at q, times s² or as φ is."""
    for root in (0.3, 2.0):
        one = float(root_mean_square(activation(phi.format(1.0)), root, h=1))
        other = float(root_mean_square(activation(phi.format(size)), root * size**-scale, h=1))
        factor = 1.0 if phi.startswith("sin") else size**-scale
        assert other == pytest.approx(one * factor, rel=1e-9)
