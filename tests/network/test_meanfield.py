"""The theory of infinite width against plain iteration and what is known of it."""

import math

import numpy as np
import pytest

from winit.network.activations import ACTIVATIONS, Activation, Entry, activation
from winit.network.correlation import joint_expectation
from winit.network.meanfield import (
    CriticalityError,
    chi_1,
    correlation_map,
    critical_point,
    critical_sigma_w,
    fixed_point,
    limit_variance,
    phase_plane,
    variance_map,
    variance_map_slope,
)

LABELS = [entry.label for entry in ACTIVATIONS.values()]


def iterated(phi, sigma_w, sigma_b, steps, start=1.0):
    """The variances of the first layers, V applied again and again."""
    q = [start]
    for _ in range(steps):
        q.append(float(variance_map(phi, q[-1], sigma_w, sigma_b)))
    return np.array(q)


def decay(values):
    """The depth over which the last deviations from the last value shrink by e."""
    away = np.abs(values[:-1] - values[-1])
    away = away[away > 1e-9 * away[0]]
    return 1 / np.log(away[-4] / away[-3])


# Fixed points of the variance


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize(("sigma_w", "sigma_b"), [(0.7, 0.3), (1.6, 0.5), (3.0, 0.1)])
def test_variances_go_to_the_fixed_point(label, sigma_w, sigma_b):
    phi = activation(label)
    q_star = limit_variance(phi, sigma_w, sigma_b)
    last = iterated(phi, sigma_w, sigma_b, 60)
    if math.isfinite(q_star):
        assert abs(last[-1] - q_star) <= max(1e-6 * q_star, 0.9 * abs(last[-20] - q_star))
        assert variance_map(phi, q_star, sigma_w, sigma_b) == pytest.approx(q_star, rel=1e-11)
    else:
        assert last[-1] == np.inf or last[-1] > max(3, 1.2 * last[-20])


@pytest.mark.parametrize(
    ("label", "sigma_w", "sigma_b", "q_star"),
    [
        ("tanh", 1.0, 0.0, 0),  # q ~ 1 / 2l
        ("tanh", 0.9999, 0.0, 0),
        ("hard_tanh", 1.0, 0.0, 0),  # slower than any power of l
        ("tanh", 0.0, 0.0, 0),
        ("tanh", 0.0, 0.3, 0.09),
        ("relu", 1.4, 0.0, 0),
        ("relu", math.sqrt(2), 0.0, 1),  # V(q) = q
        ("relu", 1.0, 0.5, 0.5),
        ("relu", 1.4142, 0.5, 0.25 / (1 - 1.4142**2 / 2)),
        ("relu", math.sqrt(2), 0.1, math.inf),
        ("relu", 2.0, 0.0, math.inf),
        ("identity", 1.0, 0.0, 1),
        ("exponential", 1.0, 0.0, math.inf),
        ("sign", 0.7, 0.2, 0.53),
        ("sin", 30.0, 0.0, 450),
        ("gelu", 2.0, 0.0, math.inf),
        ("selu", 1.0, 0.0, 1),  # Klambauer et al. 2017
    ],
)
def test_known_fixed_points(label, sigma_w, sigma_b, q_star):
    assert limit_variance(activation(label), sigma_w, sigma_b) == pytest.approx(q_star, rel=1e-9)


def test_near_criticality_tanh_has_a_small_fixed_point():
    # V(q) = σ_w² (q − 2q² + 17q³/3 − …)
    for excess in (1e-2, 1e-4, 1e-6):
        q_star = limit_variance(activation("tanh"), math.sqrt(1 + excess))
        assert q_star == pytest.approx(excess / 2, rel=2 * excess + 1e-6)


def test_the_start_decides_between_two_fixed_points():
    # σ_w² e^2q = q at two places for σ_w = 0.3; the lower one attracts, above the upper one all diverges.
    exponential = activation("exponential")
    low = limit_variance(exponential, 0.3, start=0.5)
    assert 0.09 * math.exp(2 * low) == pytest.approx(low, rel=1e-10)
    assert low < 0.5
    assert limit_variance(exponential, 0.3, start=2.0) == math.inf


def test_the_slope_of_the_variance_map_in_logarithms_is_at_least_minus_one_half():
    q = np.logspace(-6, 6, 25)
    for label in LABELS:
        phi = activation(label)
        with np.errstate(all="ignore"):
            slope = q * variance_map_slope(phi, q, 1.0) / variance_map(phi, q, 1.0)
        assert np.nanmin(slope) > -0.5 - 1e-9


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize(("sigma_w", "sigma_b"), [(0.0, 0.0), (0.5, 0.3), (1.0, 0.0), (5.0, 0.3)])
def test_every_activation_has_a_fixed_point(label, sigma_w, sigma_b):
    found = fixed_point(activation(label), sigma_w, sigma_b)
    assert found.q_star >= 0
    assert found.chi_1 >= 0
    assert not math.isnan(found.xi_grad)
    finite = 0 < found.q_star < math.inf
    assert (found.c_star is not None) == (found.xi_c is not None) == finite
    if finite:
        assert 0 <= found.c_star <= 1
        assert found.xi_c >= 0
        again = correlation_map(activation(label), found.c_star, found.q_star, sigma_w, sigma_b)
        assert again == pytest.approx(found.c_star, abs=1e-9)
    if found.q_star == math.inf:
        assert found.xi_q is None


# Depth scales


def test_the_gradient_scale_is_that_of_chi_1():
    ordered = fixed_point(activation("tanh"), 0.5, 0.3)
    chaotic = fixed_point(activation("tanh"), 2.0, 0.3)
    assert ordered.xi_grad == pytest.approx(-1 / math.log(ordered.chi_1))
    assert ordered.xi_grad > 0 > chaotic.xi_grad
    assert fixed_point(activation("relu"), math.sqrt(2)).xi_grad == math.inf
    assert fixed_point(activation("relu"), 2.0).xi_grad == pytest.approx(-1 / math.log(2))
    assert fixed_point(activation("relu"), 1.0).chi_1 == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("label", "sigma_w", "sigma_b"),
    [("tanh", 0.8, 0.3), ("tanh", 2.0, 0.3), ("relu", 1.2, 0.3), ("erf", 3.0, 0.5), ("silu", 1.2, 0.4)],
)
def test_the_scales_are_those_of_plain_iteration(label, sigma_w, sigma_b):
    phi = activation(label)
    found = fixed_point(phi, sigma_w, sigma_b)
    variances = iterated(phi, sigma_w, sigma_b, 400)
    assert variances[-1] == pytest.approx(found.q_star, rel=1e-6)
    assert decay(variances) == pytest.approx(found.xi_q, rel=0.02)
    # The map at the fixed point, from its own definition.
    c = [0.5]
    for _ in range(300):
        pair = joint_expectation(phi, found.q_star, min(c[-1], 1.0))
        c.append(float(sigma_w**2 * pair + sigma_b**2) / found.q_star)
    assert c[-1] == pytest.approx(found.c_star, abs=1e-5)
    assert decay(np.array(c)) == pytest.approx(found.xi_c, rel=0.02)


def test_the_phases_of_tanh():
    # Poole et al. 2016, fig. 1: ordered, and all inputs alike; chaotic, and not.
    ordered, chaotic = (fixed_point(activation("tanh"), sigma_w, 0.3) for sigma_w in (1.3, 2.5))
    assert ordered.chi_1 < 1
    assert ordered.c_star == 1
    assert ordered.xi_c == pytest.approx(ordered.xi_grad)
    assert chaotic.chi_1 > 1
    assert 0 < chaotic.c_star < 0.7


def test_without_biases_chaos_makes_odd_activations_orthogonal():
    for label in ("tanh", "erf", "sin", "hard_tanh"):
        assert fixed_point(activation(label), 2.0).c_star == 0


def test_just_above_criticality_the_correlation_leaves_one_in_proportion():
    tanh, sigma_b = activation("tanh"), 0.3
    critical = critical_sigma_w(tanh, sigma_b)
    gaps = [1 - fixed_point(tanh, critical + excess, sigma_b).c_star for excess in (1e-3, 1e-5)]
    assert gaps[0] / gaps[1] == pytest.approx(100, rel=0.05)


def test_sign_decorrelates_however_small_its_derivative():
    # C(c) = (2/π) asin c: slope 2/π at 0, infinite at 1, while χ₁ is 0.
    found = fixed_point(activation("sign"), 1.0)
    assert found.chi_1 == 0
    assert found.c_star == 0
    assert found.xi_c == pytest.approx(1 / math.log(math.pi / 2))
    assert found.xi_q is None


def test_a_flat_network_forgets_at_once():
    found = fixed_point(activation("tanh"), 0.0, 0.5)
    assert (found.q_star, found.chi_1, found.c_star, found.xi_c, found.xi_grad) == (0.25, 0, 1, 0, 0)
    assert found.xi_q is None


def test_at_zero_the_slope_of_the_variance_is_that_of_the_limit():
    assert fixed_point(activation("tanh"), 0.5).xi_q == pytest.approx(1 / math.log(4))
    assert fixed_point(activation("relu"), 1.0).xi_q == pytest.approx(1 / math.log(2))


# The critical line


@pytest.mark.parametrize(
    ("label", "sigma_w"),
    [
        ("identity", 1),
        ("relu", math.sqrt(2)),
        ("leaky_relu(negative_slope=0.2)", math.sqrt(2 / 1.04)),
        ("abs", 1),
        ("tanh", 1),
        ("hard_tanh", 1),
        ("sin(omega=30.0)", 1 / 30),
        ("erf", math.sqrt(math.pi) / 2),
        ("softsign", 1),
        ("selu", math.sqrt(2 / (1.0507009873554805**2 * (1 + 1.6732632423543772**2)))),
    ],
)
def test_known_critical_gains(label, sigma_w):
    assert critical_sigma_w(activation(label)) == pytest.approx(sigma_w, rel=1e-12)


@pytest.mark.parametrize("label", LABELS)
def test_at_a_critical_gain_gradients_neither_vanish_nor_explode(label):
    phi = activation(label)
    for sigma_b in (0.0, 0.5):
        try:
            sigma_w = critical_sigma_w(phi, sigma_b)
        except CriticalityError:
            continue
        found = fixed_point(phi, sigma_w, sigma_b)
        assert found.chi_1 == pytest.approx(1, abs=1e-9)
        assert abs(found.xi_grad) > 1e8


def test_most_of_the_catalogue_is_critical_somewhere():
    found = set()
    for label in LABELS:
        for sigma_b in (0.0, 0.5, 1.0):
            try:
                found.add((label, critical_sigma_w(activation(label), sigma_b))[0])
            except CriticalityError:
                continue
    assert {"gelu", "mish", "cos", "hard_sigmoid", "elu", "relu6"} <= found
    assert not {"sign", "softplus", "exponential", "soft_shrink"} & found


def test_tanh_needs_larger_weights_with_larger_biases():
    gains = [critical_sigma_w(activation("tanh"), sigma_b) for sigma_b in (0, 0.01, 0.1, 0.3, 1)]
    assert gains == sorted(gains)
    assert gains[0] < gains[-1]


def test_the_critical_line_of_erf():
    for q in (0.1, 1.0, 20.0):
        sigma_w2 = math.pi / 4 * math.sqrt(1 + 4 * q)
        sigma_b2 = q - sigma_w2 * 2 / math.pi * math.asin(2 * q / (1 + 2 * q))
        assert critical_point(activation("erf"), q) == pytest.approx((math.sqrt(sigma_w2), sigma_b2))
        assert critical_sigma_w(activation("erf"), math.sqrt(sigma_b2)) == pytest.approx(math.sqrt(sigma_w2))


def test_the_half_stable_point_of_gelu():
    # Roberts, Yaida & Hanin 2022, §5.3.4: at q = (3 + √17) / 2 both χ₁ and V' are 1.
    gelu, q = activation("gelu"), (3 + math.sqrt(17)) / 2
    sigma_w, sigma_b2 = critical_point(gelu, q)
    assert sigma_w**2 == pytest.approx(1.983, abs=5e-4)
    assert sigma_b2 == pytest.approx(0.173, abs=5e-4)
    assert variance_map_slope(gelu, q, sigma_w) == pytest.approx(1, abs=1e-10)
    with pytest.raises(CriticalityError, match="run away"):
        critical_sigma_w(gelu, math.sqrt(sigma_b2) - 0.01)
    assert critical_sigma_w(gelu, math.sqrt(sigma_b2) + 0.01) < sigma_w


def test_a_critical_point_is_a_fixed_point_with_chi_1():
    for label in ("tanh", "gelu", "sigmoid", "hard_silu"):
        phi = activation(label)
        for q in (0.01, 1.0, 100.0):
            sigma_w, sigma_b2 = critical_point(phi, q)
            assert chi_1(phi, q, sigma_w) == pytest.approx(1)
            assert variance_map(phi, q, sigma_w) + sigma_b2 == pytest.approx(q)


def test_what_has_no_critical_gain_says_so():
    with pytest.raises(CriticalityError, match="sign has no critical sigma_w: its derivative is 0"):
        critical_sigma_w(activation("sign"))
    with pytest.raises(CriticalityError, match=r"relu has no critical sigma_w at sigma_b = 0\.1"):
        critical_sigma_w(activation("relu"), 0.1)
    with pytest.raises(CriticalityError, match="sign has no critical point"):
        critical_point(activation("sign"), 1.0)


def test_a_users_activation_needs_no_kinks():
    def rectifier(z):
        return np.maximum(z - 0.5, 0), (z > 0.5).astype(z.dtype)

    declared = Activation("declared", Entry("declared", rectifier, "", "", kinks=lambda: (0.5,)), ())
    users = Activation("users", Entry("users", rectifier, "", ""), ())
    for sigma_w, sigma_b in ((1.3, 0.6), (2.0, 0.1)):
        assert fixed_point(users, sigma_w, sigma_b).q_star == pytest.approx(
            fixed_point(declared, sigma_w, sigma_b).q_star, rel=1e-9
        )


# The phase plane


@pytest.mark.parametrize("label", ["tanh", "relu", "gelu", "sin"])
def test_the_phase_plane_has_the_fixed_points(label):
    phi = activation(label)
    sigma_w2, sigma_b2 = np.linspace(0.1, 4, 8), np.linspace(0, 1, 5)
    plane = phase_plane(phi, sigma_w2, sigma_b2)
    assert plane.q_star.shape == plane.chi_1.shape == (5, 8)
    for row, bias in enumerate(sigma_b2):
        for column, weight in enumerate(sigma_w2):
            q_star = limit_variance(phi, math.sqrt(weight), math.sqrt(bias))
            assert plane.q_star[row, column] == pytest.approx(q_star, rel=0.01)
            exact = chi_1(phi, q_star, math.sqrt(weight))
            assert plane.chi_1[row, column] == pytest.approx(exact, rel=0.01, abs=1e-9)
