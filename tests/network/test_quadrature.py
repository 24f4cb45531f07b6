"""Gaussian expectations against closed forms and adaptive integration."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import ndtr

from winit.network import correlation
from winit.network.activations import ACTIVATIONS, Activation, Entry, activation
from winit.network.correlation import MONOMIALS, joint_derivative, joint_expectation, joint_gap
from winit.network.panels import features
from winit.network.quadrature import derivative, expectation

LABELS = [*(entry.label for entry in ACTIVATIONS.values()), "sin(omega=30.0)", "celu(alpha=0.01)"]
VARIANCES = np.logspace(-12, 12, 49)
# With both ends, and what is close to them.
CORRELATIONS = np.array([-1, -1 + 1e-6, -0.99, -0.5, 0, 0.3, 0.9, 0.95, 0.99, 1 - 1e-4, 1 - 1e-6, 1])


def users(function, name="users"):
    """An activation as a user's: nothing is known of its kinks or its period."""
    return Activation(name, Entry(name, function, "", ""), ())


def two_bends(z):
    """Slope 1, but 3 between 0.3 and 0.7."""
    return z + 2 * np.clip(z - 0.3, 0, 0.4), np.where((z > 0.3) & (z < 0.7), 3.0, 1.0)


def erf_kernel(q, c):
    """(2/π) asin(2qc / (1 + 2q)), in a form that does not cancel."""
    return 2 / np.pi * np.arctan2(2 * q * c, np.sqrt((1 + 2 * q * (1 - c)) * (1 + 2 * q * (1 + c))))


def rectifier_kernel(below, above):
    """The arc-cosine kernel of below · min(z, 0) + above · max(z, 0)."""

    def kernel(q, c):
        angle = np.arctan2(np.sqrt((1 - c) * (1 + c)), c)
        jump = (above - below) ** 2 / (2 * np.pi)
        # sin θ − θ cos θ + …, whose parts cancel at c = −1.
        return q * (jump * (np.sin(angle) - angle * c) + (below**2 + above**2) / 2 * c)

    return kernel


# Expectations over one variable


def test_identity_has_the_moments_of_the_gaussian():
    for power, moment in ((1, 0), (2, 1), (3, 0), (4, 3)):
        got = expectation(activation("identity"), VARIANCES, h=power)
        assert got / VARIANCES ** (power / 2) == pytest.approx(moment, rel=1e-13, abs=1e-14)


def test_relu_halves_the_even_moments():
    relu = activation("relu")
    assert expectation(relu, VARIANCES, h=1) == pytest.approx(np.sqrt(VARIANCES / (2 * np.pi)), rel=1e-13)
    assert expectation(relu, VARIANCES, h=2) == pytest.approx(VARIANCES / 2, rel=1e-13)
    assert expectation(relu, VARIANCES, h=4) == pytest.approx(1.5 * VARIANCES**2, rel=1e-13)
    assert expectation(relu, VARIANCES, slope=4) == pytest.approx(0.5, rel=1e-13)
    assert expectation(relu, VARIANCES, h=1, slope=1) == pytest.approx(
        np.sqrt(VARIANCES / (2 * np.pi)), rel=1e-13
    )


def test_erf_has_its_closed_forms_at_every_variance():
    erf = activation("erf")
    assert expectation(erf, VARIANCES, h=2) == pytest.approx(erf_kernel(VARIANCES, 1), rel=1e-13)
    assert expectation(erf, VARIANCES, slope=2) == pytest.approx(
        4 / np.pi / np.sqrt(1 + 4 * VARIANCES), rel=1e-13
    )
    assert expectation(erf, VARIANCES, slope=4) == pytest.approx(
        16 / np.pi**2 / np.sqrt(1 + 8 * VARIANCES), rel=1e-13
    )


@pytest.mark.parametrize("omega", [0.01, 1.0, 30.0])
def test_periodic_activations_have_their_closed_forms_at_every_variance(omega):
    sine, cosine = (activation(f"{name}(omega={omega})") for name in ("sin", "cos"))
    angle = omega**2 * VARIANCES
    falling = np.exp(-2 * np.minimum(angle, 300))
    assert expectation(sine, VARIANCES, h=2) == pytest.approx(-np.expm1(-2 * angle) / 2, rel=1e-13)
    assert expectation(cosine, VARIANCES, h=2) == pytest.approx((1 + falling) / 2, rel=1e-13)
    assert expectation(cosine, VARIANCES, h=1) == pytest.approx(np.exp(-angle / 2), rel=1e-12, abs=1e-100)
    assert derivative(sine, VARIANCES, 1, h=2) == pytest.approx(omega**2 * falling, rel=1e-10, abs=1e-100)


def test_exponential_is_right_until_it_overflows():
    exponential = activation("exponential")
    for power, most in ((1, 1400), (2, 350), (4, 88)):
        q = np.linspace(0.01, most, 40)
        assert expectation(exponential, q, h=power) == pytest.approx(np.exp(power**2 * q / 2), rel=1e-11)
    assert (expectation(exponential, [360, 1e6, 1e12, np.inf], h=2) == np.inf).all()


def integral(integrand, cuts):
    """By SciPy's adaptive rule between the cuts; full_output, so that it does not warn of rounding."""
    pieces = (
        quad(integrand, *ends, epsabs=0, epsrel=1e-10, limit=200, full_output=1) for ends in pairwise(cuts)
    )
    return sum(piece[0] for piece in pieces)


def adaptive(phi, q, h, slope):
    """E f by integration over u, cut at the kinks and at the scales of φ and of the Gaussian."""
    root = np.sqrt(q)
    cuts = np.concatenate([[0.0], root * np.array([0.5, 1, 2, 4, 8, 13, 26]), np.logspace(-2, 3, 11)])
    cuts = np.unique([*cuts, *-cuts, *phi.kinks])
    cuts = cuts[np.abs(cuts) <= 26 * root]

    def integrand(u):
        value, derived = phi(np.array([u]))
        return (value**h * derived**slope * np.exp(-((u / root) ** 2) / 2))[0] / (root * np.sqrt(2 * np.pi))

    return integral(integrand, cuts)


@pytest.mark.parametrize("label", LABELS)
def test_expectations_agree_with_adaptive_integration(label):
    phi = activation(label)
    variances = [1e-12, 2.0, 30.0]
    if phi.period is None and label != "exponential":
        variances += [1e12]
    for h, slope in ((2, 0), (0, 2)):
        got = expectation(phi, variances, h=h, slope=slope)
        wanted = [adaptive(phi, q, h, slope) for q in variances]
        assert got == pytest.approx(wanted, rel=1e-9, abs=1e-40)


@pytest.mark.parametrize("label", LABELS)
def test_each_variance_gives_the_same_alone_and_among_others(label):
    phi = activation(label)
    together = expectation(phi, VARIANCES.reshape(7, 7), h=2)
    assert together.shape == (7, 7)
    for q, got in zip(VARIANCES, together.ravel(), strict=True):
        assert expectation(phi, q, h=2) == pytest.approx(got, rel=1e-12)


def test_kinks_are_found_where_none_are_declared():
    phi = users(two_bends)
    found = features(phi)
    assert np.abs(found - 0.3).min() < 1e-13
    assert np.abs(found - 0.7).min() < 1e-13
    assert len(found) < 10
    declared = Activation("declared", Entry("declared", two_bends, "", "", kinks=lambda: (0.3, 0.7)), ())
    q = np.logspace(-6, 6, 25)
    for h, slope in MONOMIALS:
        assert expectation(phi, q, h=h, slope=slope) == pytest.approx(
            expectation(declared, q, h=h, slope=slope), rel=1e-11
        )


def test_a_jump_is_found_where_none_is_declared():
    step = users(lambda z: ((z > 1).astype(float), np.zeros_like(z)))
    q = np.array([0.1, 1.0, 100.0])
    assert expectation(step, q, h=1) == pytest.approx(ndtr(-1 / np.sqrt(q)), rel=1e-11)
    # d/dq P(z > 1/√q)
    density = np.exp(-1 / (2 * q)) / np.sqrt(2 * np.pi)
    assert derivative(step, q, 1, h=1) == pytest.approx(density / (2 * q**1.5), rel=1e-10)


def test_noise_is_not_resolved():
    noise = users(lambda z: (np.sin(1e9 * z), 1e9 * np.cos(1e9 * z)), "noise")
    assert len(features(noise)) < 100
    assert 0 <= expectation(noise, 1.0, h=2) <= 1


def test_a_function_in_single_precision_is_integrated_to_its_own_precision():
    def single(z):
        h = np.tanh(z.astype(np.float32))
        return h.astype(float), (1 - h * h).astype(float)

    phi, q = users(single, "single"), np.logspace(-4, 4, 9)
    assert len(features(phi)) < 100
    for h, slope in MONOMIALS:
        wanted = expectation(activation("tanh"), q, h=h, slope=slope)
        assert expectation(phi, q, h=h, slope=slope) == pytest.approx(wanted, rel=1e-6, abs=1e-8)


def test_a_users_sine_is_right_without_its_period():
    q = np.array([1e-6, 1.0, 100.0, 1e4])
    sine = users(lambda z: (np.sin(z), np.cos(z)), "sine")
    assert expectation(sine, q, h=2) == pytest.approx(-np.expm1(-2 * q) / 2, rel=1e-11)


def test_overflow_where_the_weight_is_nothing_does_no_harm():
    # e^z / (1 + e^z) is not a number beyond z = 710.
    def naive(z):
        h = np.exp(z) / (1 + np.exp(z))
        return h, h * (1 - h)

    q = np.array([1e-3, 1.0, 1e4, 1e8])
    assert expectation(users(naive, "naive"), q, h=2) == pytest.approx(
        expectation(activation("sigmoid"), q, h=2), rel=1e-12
    )


def test_at_variance_zero_the_function_is_its_value_and_the_derivative_its_limit():
    assert expectation(activation("relu"), 0, slope=2) == 0.5
    assert expectation(activation("sign"), 0, h=2) == 0
    assert expectation(activation("sigmoid"), [0, 1e-300], h=2) == pytest.approx(0.25)
    assert derivative(activation("relu"), 0, 1, h=2) == pytest.approx(0.5)
    assert derivative(activation("sigmoid"), 0, 1, h=2) == pytest.approx(1 / 16)
    assert derivative(activation("cos"), 0, 2, h=2) == pytest.approx(2, rel=1e-8)


def test_at_infinite_variance_is_the_limit():
    assert expectation(activation("tanh"), np.inf, h=2) == pytest.approx(1)
    assert expectation(activation("tanh"), np.inf, slope=2) == 0
    assert expectation(activation("gelu"), np.inf, slope=2) == pytest.approx(0.5)
    assert expectation(activation("gelu"), np.inf, h=2) == np.inf
    assert expectation(activation("sin"), np.inf, h=2) == pytest.approx(0.5)


def test_a_negative_variance_is_refused():
    with pytest.raises(ValueError, match="variance"):
        expectation(activation("tanh"), [1, -1], h=2)


def test_derivatives_by_the_variance_of_erf():
    erf, q = activation("erf"), VARIANCES
    assert derivative(erf, q, 1, h=2) == pytest.approx(4 / np.pi / (1 + 2 * q) / np.sqrt(1 + 4 * q), rel=1e-9)
    assert derivative(erf, q, 1, slope=2) == pytest.approx(-8 / np.pi * (1 + 4 * q) ** -1.5, rel=1e-8)
    q = q[q < 1e6]
    assert derivative(erf, q, 2, slope=2) == pytest.approx(48 / np.pi * (1 + 4 * q) ** -2.5, rel=1e-8)


@pytest.mark.parametrize("label", LABELS)
def test_derivatives_by_the_variance_are_those_of_the_expectation(label):
    phi = activation(label)
    q, step = np.array([0.05, 0.7, 2.0]), 1e-3
    for h, slope in ((2, 0), (0, 2)):
        below, middle, above = (
            expectation(phi, q * factor, h=h, slope=slope) for factor in (1 - step, 1, 1 + step)
        )
        size = np.abs(above) + np.abs(below)
        first, second = (above - below) / (2 * step), (above - 2 * middle + below) / step**2
        assert (np.abs(q * derivative(phi, q, 1, h=h, slope=slope) - first) <= 2e-5 * size + 1e-300).all()
        assert (np.abs(q**2 * derivative(phi, q, 2, h=h, slope=slope) - second) <= 1e-3 * size + 1e-300).all()


# Expectations over two


@pytest.mark.parametrize("q", [1e-12, 1e-2, 1.0, 10.0, 1e4, 1e12])
@pytest.mark.parametrize(
    ("label", "kernel", "f"),
    [
        ("identity", lambda q, c: q * c, {}),
        ("relu", rectifier_kernel(0, 1), {}),
        ("leaky_relu(negative_slope=0.2)", rectifier_kernel(0.2, 1), {}),
        ("abs", rectifier_kernel(-1, 1), {}),
        ("relu", lambda _, c: 0.5 - np.arccos(c) / (2 * np.pi), {"h": 0, "slope": 1}),
        ("sign", lambda _, c: 2 / np.pi * np.arcsin(c), {}),
        ("erf", erf_kernel, {}),
        (
            "erf",
            lambda q, c: 4 / np.pi / np.sqrt((1 + 2 * q * (1 - c)) * (1 + 2 * q * (1 + c))),
            {"h": 0, "slope": 1},
        ),
        ("sin", lambda q, c: (np.expm1(-q * (1 - c)) - np.expm1(-q * (1 + c))) / 2, {}),
        ("identity", lambda q, c: q**2 * (1 + 2 * c**2), {"h": 2}),
    ],
)
def test_pairs_have_their_closed_forms_at_every_correlation(label, kernel, f, q):
    phi = activation(label)
    wanted = kernel(q, CORRELATIONS)
    largest = np.abs(wanted).max()
    assert joint_expectation(phi, q, CORRELATIONS, **f) / largest == pytest.approx(
        wanted / largest, rel=1e-9, abs=1e-12
    )


@pytest.mark.parametrize("q", [1e-12, 0.1, 1.0, 10.0, 100.0, 300.0])
def test_pairs_of_exponentials(q):
    wanted = np.exp(q * (CORRELATIONS - 1))
    got = joint_expectation(activation("exponential"), q, CORRELATIONS) * np.exp(-2 * q)
    assert got == pytest.approx(wanted, rel=1e-11, abs=1e-12)


@pytest.mark.parametrize(
    ("label", "given"),
    [
        (
            "hard_tanh",
            lambda m, s: (
                -1
                + (m + 1) * ndtr((m + 1) / s)
                - (m - 1) * ndtr((m - 1) / s)
                + s
                * (np.exp(-(((m + 1) / s) ** 2) / 2) - np.exp(-(((m - 1) / s) ** 2) / 2))
                / np.sqrt(2 * np.pi)
            ),
        ),
        (
            "gelu",
            lambda m, s: (
                m * ndtr(m / np.hypot(1, s))
                + s**2 / np.hypot(1, s) * np.exp(-((m / np.hypot(1, s)) ** 2) / 2) / np.sqrt(2 * np.pi)
            ),
        ),
    ],
)
@pytest.mark.parametrize("q", [0.01, 1.0, 100.0])
def test_pairs_agree_with_adaptive_integration_of_the_exact_conditional_mean(label, given, q):
    phi = activation(label)
    for c in (-0.999, -0.3, 0.5, 0.97, 1 - 1e-6):
        s = np.sqrt(q * (1 - c * c))

        def integrand(z, c=c, s=s):
            u = np.sqrt(q) * z
            return phi(np.array([u]))[0][0] * given(c * u, s) * np.exp(-z * z / 2) / np.sqrt(2 * np.pi)

        kinks = np.array([-1.0, 1.0]) / np.sqrt(q)
        cuts = np.unique([*range(-10, 11), *kinks[np.abs(kinks) < 10], *(kinks[np.abs(kinks) < 10] / c)])
        wanted = integral(integrand, cuts)
        assert joint_expectation(phi, q, c) == pytest.approx(wanted, rel=1e-9, abs=1e-12)


# The integral does not reach as far as exponentials weigh, nor over many periods; closed forms are above.
@pytest.mark.parametrize("label", sorted({*LABELS} - {"exponential", "sin(omega=30.0)"}))
@pytest.mark.parametrize("f", MONOMIALS)
def test_the_series_and_the_integral_over_one_given_the_other_agree(label, f):
    phi = activation(label)
    series, wanted = (rule(phi, 0.7, 0.8, *f) for rule in (correlation._hermite, correlation._given))
    assert series.product == pytest.approx(wanted.product, rel=1e-9, abs=1e-14)
    assert series.gap == pytest.approx(wanted.gap, rel=1e-9, abs=1e-14)
    assert series.derivative == pytest.approx(wanted.derivative, rel=1e-8, abs=1e-12)


@pytest.mark.parametrize("label", LABELS)
def test_the_derivative_by_the_correlation_is_prices_where_nothing_jumps(label):
    phi = activation(label)
    jumps = label in {"sign", "hard_shrink", "threshold(threshold=0.0, value=0.5)"}
    q = 2.0
    for c in (-0.9, 0.0, 0.5, 0.99, 1.0):
        prices = q * joint_expectation(phi, q, c, h=0, slope=1)
        got = joint_derivative(phi, q, c)
        assert jumps or got == pytest.approx(prices, rel=1e-7, abs=1e-10)
    assert (joint_derivative(phi, q, 1.0) == np.inf) == jumps


@pytest.mark.parametrize("label", LABELS)
def test_the_gap_keeps_its_digits_as_the_correlation_goes_to_one(label):
    phi = activation(label)
    q, away = 2.0, np.array([1e-5, 1e-7])
    gaps = joint_gap(phi, q, 1 - away)
    products = joint_expectation(phi, q, 1 - away)
    assert gaps + products == pytest.approx(expectation(phi, q, h=2), rel=1e-9)
    if np.isfinite(slope := joint_derivative(phi, q, 1.0)):
        assert gaps / away == pytest.approx(slope, rel=0.05)
    assert joint_gap(phi, q, 1.0) == pytest.approx(0, abs=1e-15)


def test_pairs_outside_of_what_is_defined_are_refused():
    tanh = activation("tanh")
    for q, c in ((np.inf, 0.5), (-1.0, 0.5), (1.0, 1.1)):
        with pytest.raises(ValueError, match="c within"):
            joint_expectation(tanh, q, c)
