"""Every activation against its formula, written once more, and against what its entry says of it."""

import decimal
import re
from decimal import Decimal

import numpy as np
import pytest

from winit.network.activations import ACTIVATIONS, activation
from winit.network.labels import LabelError, parse

# So many digits that neither cancellation nor a difference quotient is a question.
DIGITS = decimal.Context(prec=250, traps=[])
NEGLIGIBLE = Decimal(10) ** -260


def circle():
    """π, by Machin: 16 arctan(1/5) − 4 arctan(1/239)."""
    with decimal.localcontext(DIGITS):
        return 16 * arctan_of_inverse(5) - 4 * arctan_of_inverse(239)


def arctan_of_inverse(x):
    return sum(Decimal((-1) ** n) / ((2 * n + 1) * Decimal(x) ** (2 * n + 1)) for n in range(190))


PI = circle()


def exp(z):
    return z.exp()


def tanh(z):
    # From e^−2|z|, which does not overflow.
    tail = exp(-2 * abs(z))
    return (1 - tail) / (1 + tail) * (1 if z > 0 else -1)


def erf(z):
    # erf z = 2/√π e^(−z²) Σ 2ⁿ z^(2n+1) / (2n+1)!!; erfc 40 is below the smallest float64.
    if abs(z) > 40:
        return Decimal(1 if z > 0 else -1)
    term = total = z
    odd = 1
    while abs(term) > NEGLIGIBLE * abs(total):
        odd += 2
        term *= 2 * z * z / odd
        total += term
    return 2 / PI.sqrt() * exp(-z * z) * total


def sin(z):
    z = z % (2 * PI)
    term = total = z
    n = 1
    while abs(term) > NEGLIGIBLE:
        n += 2
        term *= -z * z / (n * (n - 1))
        total += term
    return total


def rectifier(slope):
    return lambda z: z if z > 0 else slope * z


def exponential_unit(alpha, scale=1, length=1):
    return lambda z: scale * (z if z > 0 else alpha * (exp(z / length) - 1))


def clip(z, low, high):
    return min(max(z, low), high)


def softplus(beta):
    # log(1 + e^(beta z)) = max(beta z, 0) + log(1 + e^−|beta z|)
    return lambda z: max(z, 0) + (1 + exp(-abs(beta * z))).ln() / beta


def squareplus(b):
    return lambda z: (z + (z * z + b).sqrt()) / 2


def hard_shrink(threshold):
    return lambda z: z if abs(z) > threshold else Decimal(0)


def soft_shrink(threshold):
    return lambda z: z - clip(z, -threshold, threshold)


def hard_sigmoid(z):
    return clip((z + 3) / 6, 0, 1)


FORMULAS = {
    "identity": lambda z: z,
    "sigmoid": lambda z: 1 / (1 + exp(-z)),
    "log_sigmoid": lambda z: -softplus(1)(-z),
    "softplus": softplus(1),
    "softplus(beta=3.0)": softplus(3),
    "squareplus": squareplus(4),
    "squareplus(b=0.25)": squareplus(Decimal("0.25")),
    "tanh": tanh,
    "lecun_tanh": lambda z: Decimal("1.7159") * tanh(2 * z / 3),
    "tanh_shrink": lambda z: z - tanh(z),
    "gelu": lambda z: z / 2 * (1 + erf(z / Decimal(2).sqrt())),
    "gelu_tanh": lambda z: z / 2 * (1 + tanh((2 / PI).sqrt() * (z + Decimal("0.044715") * z**3))),
    "silu": lambda z: z / (1 + exp(-z)),
    "mish": lambda z: z * tanh(softplus(1)(z)),
    "exponential": exp,
    "erf": erf,
    "sin": sin,
    "sin(omega=30.0)": lambda z: sin(30 * z),
    "sin(omega=-2.0)": lambda z: sin(-2 * z),
    "cos": lambda z: sin(z + PI / 2),
    "cos(omega=0.5)": lambda z: sin(z / 2 + PI / 2),
    "relu": rectifier(0),
    "relu6": lambda z: clip(z, 0, 6),
    "leaky_relu": rectifier(Decimal("0.01")),
    "leaky_relu(negative_slope=0.2)": rectifier(Decimal("0.2")),
    "leaky_relu(negative_slope=1.0)": lambda z: z,
    "prelu": rectifier(Decimal("0.25")),
    "prelu(alpha=-0.5)": rectifier(Decimal("-0.5")),
    "elu": exponential_unit(1),
    "elu(alpha=2.0)": exponential_unit(2),
    "elu(alpha=0.0)": rectifier(0),
    "celu": exponential_unit(1),
    "celu(alpha=0.5)": exponential_unit(Decimal("0.5"), length=Decimal("0.5")),
    "selu": exponential_unit(Decimal("1.6732632423543772"), Decimal("1.0507009873554805")),
    "softsign": lambda z: z / (1 + abs(z)),
    "sparse_plus": lambda z: z if z >= 1 else clip((z + 1) / 2, 0, 1) ** 2,
    "sparse_sigmoid": lambda z: clip((z + 1) / 2, 0, 1),
    "hard_sigmoid": hard_sigmoid,
    "hard_sigmoid_keras2": lambda z: clip(z / 5 + Decimal("0.5"), 0, 1),
    "hard_silu": lambda z: z * hard_sigmoid(z),
    "hard_tanh": lambda z: clip(z, -1, 1),
    "hard_shrink": hard_shrink(Decimal("0.5")),
    "hard_shrink(threshold=1.25)": hard_shrink(Decimal("1.25")),
    "soft_shrink": soft_shrink(Decimal("0.5")),
    "soft_shrink(threshold=1.25)": soft_shrink(Decimal("1.25")),
    "threshold(threshold=0.0, value=0.5)": lambda z: z if z > 0 else Decimal("0.5"),
    "threshold(threshold=-1.5, value=-20.0)": lambda z: z if z > -1.5 else Decimal(-20),
    "abs": abs,
    "sign": lambda z: Decimal(z > 0) - Decimal(z < 0),
}
LABELS = list(FORMULAS)

# φ' at each kink, in ascending order: torch's.
AT_KINKS = {
    "relu": (0,),
    "relu6": (0, 0),
    "leaky_relu": (0.01,),
    "leaky_relu(negative_slope=0.2)": (0.2,),
    "prelu": (0.25,),
    "prelu(alpha=-0.5)": (-0.5,),
    "elu": (1,),
    "elu(alpha=2.0)": (2,),
    "elu(alpha=0.0)": (0,),
    "celu": (1,),
    "celu(alpha=0.5)": (1,),
    "selu": (1.7580993408473766,),
    "softsign": (1,),
    "sparse_plus": (0, 1),
    "sparse_sigmoid": (0, 0),
    "hard_sigmoid": (0, 0),
    "hard_sigmoid_keras2": (0, 0),
    "hard_silu": (0, 1),
    "hard_tanh": (0, 0),
    "hard_shrink": (0, 0),
    "hard_shrink(threshold=1.25)": (0, 0),
    "soft_shrink": (0, 0),
    "soft_shrink(threshold=1.25)": (0, 0),
    "threshold(threshold=0.0, value=0.5)": (0,),
    "threshold(threshold=-1.5, value=-20.0)": (0,),
    "abs": (0,),
    "sign": (0,),
}

# φ' = 1 − φ² of these is good to the rounding error of 1, not of itself: see smooth.tanh.
FROM_OUTPUT = {"tanh", "lecun_tanh"}

MAGNITUDES = [1e-12, 1e-3, 0.01, 0.3, 0.49, 0.7, 0.999, 1.001, 1.4, 2.4, 2.99, 3.7, 5.5, 9, 12, 90, 1e4, 1e30]
POINTS = np.array([*(-m for m in reversed(MAGNITUDES)), 0, *MAGNITUDES])


def formula_and_derivatives(label, places):
    """φ, φ' and φ'' at ``places``, by the formula and its differences."""
    formula, step = FORMULAS[label], Decimal(10) ** -60
    rows = []
    with decimal.localcontext(DIGITS):
        for place in map(Decimal, map(float, places)):
            before, here, after = (formula(place + move) for move in (-step, Decimal(0), step))
            rows.append((here, (after - before) / (2 * step), (after - 2 * here + before) / step**2))
    return np.array(rows, dtype=float).T


def away_from_kinks(phi, places, distance):
    return places[[all(abs(place - kink) > distance for kink in phi.kinks) for place in places]]


def rounding_errors(dtype, z, values, derivatives, floor=0.0):
    """What a few roundings cost, that of z too, and what subnormal numbers or the differences are off by."""
    relative = np.finfo(dtype).eps * (np.abs(values) + np.abs(z * derivatives) + floor)
    return 5 * relative + max(np.finfo(dtype).tiny, 1e-100) * (1 + np.abs(z))


def assert_near(found, expected, tolerance):
    with np.errstate(over="ignore"):  # what float32 cannot hold must be infinite
        finite = np.isfinite(expected.astype(found.dtype))
    assert (found[~finite] == np.inf).all()
    assert (np.abs(found[finite].astype(float) - expected[finite]) <= tolerance[finite]).all()


def test_every_entry_has_its_formula_here():
    assert {parse(label).name for label in FORMULAS} == set(ACTIVATIONS)
    assert {entry.label for entry in ACTIVATIONS.values()} <= set(FORMULAS)


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_values_and_derivatives_are_those_of_the_formula(label, dtype):
    phi = activation(label)
    z = away_from_kinks(phi, POINTS.astype(dtype), 0)
    if label == "exponential":
        z = z[z < 1e30]
    expected, slope, bend = formula_and_derivatives(label, z)
    with np.errstate(all="ignore"):
        h, derivative = phi(z)
    floor = 1.0 if phi.entry.name in FROM_OUTPUT else 0.0
    assert_near(h, expected, rounding_errors(dtype, z, expected, slope))
    assert_near(derivative, slope, rounding_errors(dtype, z, slope, bend, floor))


@pytest.mark.parametrize("label", LABELS)
def test_the_derivative_is_that_of_the_function(label):
    phi = activation(label)
    step = 1e-6
    z = away_from_kinks(phi, np.linspace(-8, 8, 1601), 2 * step)
    h, derivative = phi(z)
    differences = (phi(z + step)[0] - phi(z - step)[0]) / (2 * step)
    assert (np.abs(derivative - differences) <= 2e-8 * (1 + np.abs(h))).all()


@pytest.mark.parametrize("label", LABELS)
def test_float32_is_as_good_as_float32_can_be(label):
    phi = activation(label)
    single = np.linspace(-30, 30, 12_001).astype(np.float32)
    double = single.astype(float)
    h, derivative = phi(double)
    bend = (phi(double + 1e-6)[1] - phi(double - 1e-6)[1]) / 2e-6
    found, found_derivative = phi(single)
    floor = 1.0 if phi.entry.name in FROM_OUTPUT else 0.0
    assert_near(found, h, rounding_errors(np.float32, double, h, derivative))
    assert_near(found_derivative, derivative, rounding_errors(np.float32, double, derivative, bend, floor))


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_both_outputs_are_new_arrays_of_the_inputs_shape_and_dtype(label, dtype):
    z = np.linspace(-3, 3, 12, dtype=dtype).reshape(3, 4)
    before = z.copy()
    h, derivative = activation(label)(z)
    for output, others in ((h, (z, derivative)), (derivative, (z, h))):
        assert (output.shape, output.dtype) == (z.shape, z.dtype)
        assert not any(np.shares_memory(output, other) for other in others)
    assert (z == before).all()


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_nothing_but_the_exponential_overflows(label, dtype):
    z = np.array([-1e30, -1e4, -90, 0, 90, 1e4, 1e30], dtype)
    with np.errstate(all="ignore"):
        pair = activation(label)(z)
    for part in pair:
        assert (np.isfinite(part) == ((label != "exponential") | (z < np.log(np.finfo(dtype).max)))).all()
        assert not np.isnan(part).any()


@pytest.mark.parametrize("label", LABELS)
def test_values_stay_within_the_bounds_and_come_near_them(label):
    phi = activation(label)
    z = np.concatenate([np.linspace(-50, 50, 2001), [-1e4, 1e4]])
    with np.errstate(over="ignore"):
        h, derivative = phi(z)
    if phi.entry.bounds is None:
        assert np.abs(h).max() > 1000
    else:
        low, high = phi.entry.bounds
        assert low <= h.min() < low + 0.001
        assert high - 0.001 < h.max() <= high
    assert np.abs(derivative[np.abs(z) <= 10]).max() <= phi.largest_derivative + 1e-9


@pytest.mark.parametrize("label", LABELS)
def test_the_kinks_are_where_a_value_or_one_of_two_derivatives_jumps_and_nowhere_else(label):
    phi = activation(label)
    step = 2.0**-10
    z = np.arange(-8, 8, step) + step / 3  # no kink of these is on the grid
    h, derivative = phi(z)
    bend = np.diff(derivative) / step
    # Between neighbours φ, φ' and φ'' change little, next to the largest slope or bend, but for a jump.
    jumps = [
        np.abs(np.diff(h) - step * (derivative[1:] + derivative[:-1]) / 2)[1:],
        np.abs(np.diff(bend)),
    ]
    changes = np.maximum(*jumps) / max(1, np.quantile(np.abs(bend), 0.99))
    found = z[1:-1][changes > 0.05]
    declared = np.array(phi.kinks)
    assert list(declared) == sorted(set(declared))
    assert all(np.abs(found - kink).min(initial=1) <= step for kink in declared)
    assert all(np.abs(declared - place).min(initial=1) <= 2 * step for place in found)


@pytest.mark.parametrize("label", LABELS)
def test_the_derivative_at_a_kink_is_the_frameworks(label):
    phi = activation(label)
    assert phi(np.array(phi.kinks))[1] == pytest.approx(AT_KINKS.get(label, ()), rel=1e-15)


@pytest.mark.parametrize("entry", ACTIVATIONS.values(), ids=lambda entry: entry.name)
def test_the_formula_says_the_derivative_at_a_kink(entry):
    assert ("φ'(" in entry.formula) == bool(activation(entry.label).kinks)


@pytest.mark.parametrize("label", LABELS)
def test_the_period_is_the_smallest_after_which_values_repeat(label):
    phi = activation(label)
    z = np.linspace(-5, 5, 101)
    if phi.period is None:
        assert phi.entry.name not in {"sin", "cos"}
        return
    for part, moved in zip(phi(z), phi(z + phi.period), strict=True):
        assert moved == pytest.approx(part, abs=1e-12 * phi.largest_derivative)
    for fraction in (2, 3):
        assert phi(z + phi.period / fraction)[0] != pytest.approx(phi(z)[0], abs=0.1)


@pytest.mark.parametrize(
    ("alias", "label"),
    [
        ("linear", "identity"),
        ("swish", "silu"),
        ("hard_swish", "hard_silu"),
        ("hardswish", "hard_silu"),
        ("hardsigmoid", "hard_sigmoid"),
        ("hardtanh", "hard_tanh"),
        ("hardshrink(threshold=1)", "hard_shrink(threshold=1.0)"),
        ("softshrink(0.5)", "soft_shrink"),
        ("tanhshrink", "tanh_shrink"),
        ("logsigmoid", "log_sigmoid"),
        ("soft_sign", "softsign"),
        ("threshold(0, 0.5)", "threshold(threshold=0.0, value=0.5)"),
    ],
)
def test_an_alias_is_the_same_activation(alias, label):
    assert activation(alias) == activation(label)
    assert activation(alias).label == label


def test_no_two_entries_share_a_name():
    names = [name for entry in ACTIVATIONS.values() for name in (entry.name, *entry.aliases)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("entry", ACTIVATIONS.values(), ids=lambda entry: entry.name)
def test_framework_names_are_dotted_and_each_is_given_once(entry):
    for name in entry.frameworks:
        assert re.fullmatch(r"(torch|jax|keras|tensorflow)(\.\w+)+( \(.+\))?", name)
        others = (other for other in ACTIVATIONS.values() if other is not entry)
        assert not any(name in other.frameworks for other in others)


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ("softplus(beta=0)", r"softplus: beta is 0.0; it must be above 0"),
        ("softplus(beta=-1)", r"softplus: beta is -1.0; it must be above 0"),
        ("squareplus(b=0)", r"squareplus: b is 0.0; it must be above 0"),
        ("celu(alpha=0)", r"celu: alpha is 0.0; it must be above 0"),
        ("hard_shrink(threshold=-1)", r"hard_shrink: threshold is -1.0; it must be 0 or above"),
        ("soft_shrink(threshold=-1)", r"soft_shrink: threshold is -1.0; it must be 0 or above"),
        ("sin(omega=0)", r"sin: omega is 0.0; it must be other than 0"),
        ("cos(omega=0)", r"cos: omega is 0.0; it must be other than 0"),
    ],
)
def test_a_bad_argument_is_refused_by_name(label, message):
    with pytest.raises(LabelError, match=message):
        activation(label)(np.zeros(1))


def test_no_frequency_has_no_period():
    with pytest.raises(LabelError, match=r"omega is 0.0"):
        _ = activation("sin(omega=0)").period


@pytest.mark.parametrize("name", ["hard_shrink", "soft_shrink"])
def test_a_shrink_by_nothing_is_the_identity_but_for_the_derivative_at_zero(name):
    phi = activation(f"{name}(threshold=0)")
    h, derivative = phi(np.array([-2.0, 0.0, 2.0]))
    assert list(h) == [-2, 0, 2]
    assert list(derivative) == [1, 0, 1]
    assert phi.kinks == ()


def test_torchs_softplus_is_as_near_as_its_entry_says():
    # torch takes z itself from beta z = 20 on.
    z = np.array([20.0])
    assert 2.06e-9 < activation("softplus")(z)[0][0] - z[0] < 2.1e-9


def test_selu_keeps_mean_zero_and_variance_one():
    # Klambauer et al. 2017: the fixed point that its two constants are made for.
    z = np.linspace(-12, 12, 200_001)
    density = np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi) * (z[1] - z[0])
    h, _ = activation("selu")(z)
    assert (h * density).sum() == pytest.approx(0, abs=1e-6)
    assert (h**2 * density).sum() == pytest.approx(1, abs=1e-6)


def test_lecuns_tanh_is_one_at_one():
    assert activation("lecun_tanh")(np.array([-1.0, 1.0]))[0] == pytest.approx([-1, 1], abs=1e-4)


def test_relu_halves_the_second_moment():
    z = np.random.default_rng(0).normal(size=1_000_000)
    assert (activation("relu")(z)[0] ** 2).mean() == pytest.approx(0.5, abs=0.005)


@pytest.mark.parametrize("entry", ACTIVATIONS.values(), ids=lambda entry: entry.name)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(3, 7, 5), (2, 1, 1), (3, 33, 29), (1, 4, 6)])
def test_a_network_in_a_stack_has_the_activations_that_it_has_alone(shape, dtype, entry):
    phi = activation(entry.label)
    stack = np.random.default_rng(0).normal(scale=3, size=shape).astype(dtype)
    stack.ravel()[::11] = 0
    stack.ravel()[1::13] *= 1e3
    with np.errstate(all="ignore"):
        for together, *alone in zip(phi(stack), *map(phi, stack), strict=True):
            assert together.dtype == dtype
            assert together.tobytes() == np.array(alone).tobytes()
