"""What mean-field theory predicts for each layer of one network with i.i.d. weights.

Where the weights have mean zero, in the limit of large widths, with σ_w² = fan_in Var W of each layer and
σ_b² the variance of its biases:

    q_1 = σ_w² E x² + σ_b²,   q_{l+1} = σ_w² E φ(√q_l z)² + σ_b²
    c_{l+1} = (σ_w² E φ(u) φ(v) + σ_b²) / q_{l+1},   u, v ~ N(0, q_l) of correlation c_l
    E g_{l-1}² / E g_l² = σ_w² (n_l / n_{l-1}) E φ'(√q_l z)²,   g = ∂L/∂h, n_l units in layer l

(Poole et al. 2016; Schoenholz et al. 2017); where they have not, see ``coherent``. An input's examples
need not be of one size: q is followed for each of a few sizes that are equally frequent.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from winit.network import coherent
from winit.network.activations import Activation
from winit.network.cells import Probe, hidden_widths, input_width
from winit.network.correlation import joint_expectation, joint_gap
from winit.network.draws import Draws
from winit.network.initializers import Initializer, Law, Layer
from winit.network.inputs import input_of
from winit.network.meanfield import FixedPoint, fixed_point, scaled_square
from winit.network.quadrature import expectation
from winit.network.spread import Ensemble, Spread, spread_of

Floats = NDArray[np.float64]

_CANCELLED = 1e-6


@dataclass(frozen=True)
class Prediction:
    """Predicted rows 0 (the input) … depth of a cell, each of shape (depth + 1,); NaN where there is none.

    Names are those of the columns of ``theory.parquet``, which say what they mean.
    """

    sigma_w: Floats
    sigma_b: Floats
    q: Floats
    z_std: Floats
    h_mean: Floats
    h_std: Floats
    h_second_moment: Floats
    cosine_mean: Floats
    pair_correlation: Floats
    g_std_ratio: Floats
    spread: Spread
    limits: FixedPoint | None
    """Where the maps lead; None where σ_w or σ_b differ from layer to layer."""


def predict(
    initializer: Initializer, activation: Activation, depth: int, width: str, probe: Probe
) -> Prediction | None:
    """The prediction for a network; None where its weights are not i.i.d."""
    found = _iid(initializer, activation, depth, width, probe)
    if found is None:
        return None
    laws, fans = found
    if any(law.mean for pair in laws for law in pair):
        return _with_mean(activation, laws, fans, probe)
    return _without_mean(activation, laws, fans, probe)


def predicted_stds(
    initializer: Initializer, activation: Activation, depth: int, width: str, probe: Probe
) -> Floats | None:
    """``h_std`` of ``predict`` alone, shape (depth + 1,), without the time for the rest; None likewise."""
    found = _iid(initializer, activation, depth, width, probe)
    if found is None:
        return None
    laws, fans = found
    if any(law.mean for pair in laws for law in pair):
        return _with_mean(activation, laws, fans, probe).h_std
    kind = input_of(probe.input)
    return _h_stds(activation, _sizes(activation, *_sigmas(laws, fans), kind.second_moments), kind.mean)


def _iid(
    initializer: Initializer, activation: Activation, depth: int, width: str, probe: Probe
) -> tuple[list[tuple[Law, Law]], tuple[int, ...]] | None:
    """The laws of each layer and the readout, and the widths; None where the weights are not i.i.d."""
    hidden = hidden_widths(width, depth)
    fans = (input_width(hidden[0], probe), *hidden)
    # The trial has inputs, which theory has not: one that looks at data shows itself there.
    if not initializer.is_iid_with(activation):
        return None
    laws = _laws(initializer, activation, (*fans, probe.outputs), probe)
    return None if laws is None else (laws, fans)


def _laws(
    initializer: Initializer, activation: Activation, fans: tuple[int, ...], probe: Probe
) -> list[tuple[Law, Law]] | None:
    """The laws of W and b of the layers 1 … depth and of the readout; None where these are not i.i.d."""
    found = []
    for index, (fan_in, fan_out) in enumerate(pairwise(fans), 1):
        depth = len(fans) - 2
        layer = Layer(fan_in, fan_out, index, depth, activation, Draws(0), np.dtype(np.float64))
        laws = initializer.laws(layer)
        if laws is None:
            return None
        found.append((laws[0], laws[1] or Law("normal", probe.bias_std)))
    return found


def _with_mean(
    activation: Activation, laws: list[tuple[Law, Law]], fans: tuple[int, ...], probe: Probe
) -> Prediction:
    """By ``coherent``, which knows no spread, no correlations and no limits."""
    *layers, (readout, _) = laws
    scales = coherent.Scales(
        *(
            np.array([np.nan, *values])
            for values in zip(*((w.std, w.mean, b.std, b.mean) for w, b in layers), strict=True)
        )
    )
    population = input_of(probe.input).population(fans[0])
    found = coherent.signal(activation, scales, (readout.std, readout.mean), fans, population, probe.outputs)
    nothing = np.full(len(fans), np.nan)
    return Prediction(
        sigma_w=scales.weight_std * np.sqrt([np.nan, *fans[:-1]]),
        sigma_b=scales.bias_std,
        q=found.q,
        z_std=found.z_std,
        h_mean=found.h_mean,
        h_std=found.h_std,
        h_second_moment=found.h_second_moment,
        cosine_mean=nothing,
        pair_correlation=nothing,
        g_std_ratio=found.g_std_ratio,
        spread=Spread(nothing, nothing, nothing, nothing),
        limits=None,
    )


def _without_mean(
    activation: Activation, laws: list[tuple[Law, Law]], fans: tuple[int, ...], probe: Probe
) -> Prediction:
    layers = laws[:-1]
    sigma_w, sigma_b = _sigmas(laws, fans)
    kind = input_of(probe.input)
    sizes = _sizes(activation, sigma_w, sigma_b, kind.second_moments)
    q = np.append(np.nan, sizes[1:].mean(axis=1))
    h_mean = np.append(kind.mean, expectation(activation, sizes[1:], h=1).mean(axis=1))
    second = np.append(sizes[0].mean(), expectation(activation, sizes[1:], h=2).mean(axis=1))
    of_pair, of_strangers = (
        _correlations(activation, sigma_w, sigma_b, np.append(sizes[0].mean(), q[1:]), start)
        for start in (kind.correlation, kind.cosine)
    )
    alike = kind.correlation is None and sizes.shape[1] == 1
    size_variance, batch_variance = kind.size_variances(fans[0], probe.batch)
    ensemble = Ensemble(
        activation=activation,
        sigma_w=sigma_w,
        sigma_b=sigma_b,
        fans=fans,
        q=q,
        cosine=of_strangers,
        kurtosis=np.array([np.nan, *(w.excess_kurtosis for w, _ in layers)]),
        bias_kurtosis=np.array([np.nan, *(b.excess_kurtosis for _, b in layers)]),
        fourth_moment=kind.entry.fourth_moment(),
        batch=probe.batch,
        outputs=probe.outputs,
        size_variance=size_variance,
        batch_variance=batch_variance,
    )
    return Prediction(
        sigma_w=sigma_w,
        sigma_b=sigma_b,
        q=q,
        z_std=np.sqrt(q),
        h_mean=h_mean,
        h_std=_h_stds(activation, sizes, kind.mean),
        h_second_moment=second,
        cosine_mean=_cosines(activation, q, of_strangers, second) if alike else np.full(len(q), np.nan),
        pair_correlation=of_pair,
        g_std_ratio=_gradient_ratios(activation, sigma_w, sizes, fans),
        spread=spread_of(ensemble),
        limits=_limits(activation, sigma_w, sigma_b, q),
    )


def _sigmas(laws: list[tuple[Law, Law]], fans: tuple[int, ...]) -> tuple[Floats, Floats]:
    """σ_w and σ_b of each layer; NaN for the input."""
    layers = laws[:-1]
    sigma_w = np.array([np.nan, *(w.std * np.sqrt(n) for (w, _), n in zip(layers, fans, strict=False))])
    return sigma_w, np.array([np.nan, *(b.std for _, b in layers)])


def _h_stds(activation: Activation, sizes: Floats, input_mean: float) -> Floats:
    """h_std of the input and of each layer."""
    return np.append(np.sqrt(sizes[0].mean() - input_mean**2), _stds(activation, sizes[1:]))


def _stds(activation: Activation, sizes: Floats) -> Floats:
    """h_std of each layer, over all sizes."""
    means, squares = (expectation(activation, sizes, h=power) for power in (1, 2))
    with np.errstate(all="ignore"):
        within = squares - means**2
        # Where φ is all but constant the difference is rounding, the sum of the other coefficients is not.
        for place in zip(*np.nonzero(within < _CANCELLED * squares), strict=True):
            within[place] = joint_gap(activation, sizes[place], 0.0) if sizes[place] else 0.0
        variance = within.mean(axis=1) + means.var(axis=1)
    return np.sqrt(np.where(np.isinf(squares).any(axis=1), np.inf, variance))


def _sizes(activation: Activation, sigma_w: Floats, sigma_b: Floats, inputs: Floats) -> Floats:
    """q of each layer for each size of the inputs, shape (depth + 1, sizes); row 0 has E x²."""
    rows = [inputs]
    for index in range(1, len(sigma_w)):
        second = inputs if index == 1 else expectation(activation, rows[-1], h=2)
        rows.append(scaled_square(sigma_w[index], second) + sigma_b[index] ** 2)
    return np.array(rows)


def _correlations(
    activation: Activation, sigma_w: Floats, sigma_b: Floats, q: Floats, start: float | None
) -> Floats:
    """c of each layer, from that of the inputs; q of row 0 is E x². NaN where two zeros are compared."""
    if start is None:
        return np.full(len(q), np.nan)
    found = [start]
    for index in range(1, len(q)):
        product = start * q[0]
        if index > 1:
            product = _joint(activation, q[index - 1], found[-1])
        covariance = scaled_square(sigma_w[index], np.asarray(product)) + sigma_b[index] ** 2
        found.append(float(np.clip(covariance / q[index], -1, 1)) if 0 < q[index] < np.inf else np.nan)
    return np.array(found)


def _joint(activation: Activation, q: float, c: float) -> float:
    if not (np.isfinite(q) and np.isfinite(c)):
        return np.nan
    return float(joint_expectation(activation, q, c))


def _cosines(activation: Activation, q: Floats, c: Floats, second: Floats) -> Floats:
    """Of the activations of two different examples; of the inputs themselves in row 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        of_h = [_joint(activation, *at) for at in zip(q[1:], c[1:], strict=True)] / second[1:]
    return np.append(c[0], of_h)


def _gradient_ratios(activation: Activation, sigma_w: Floats, sizes: Floats, fans: tuple[int, ...]) -> Floats:
    """g_std of each layer ÷ that of the last one; NaN for the input."""
    factors = [np.ones(sizes.shape[1])]
    for index in range(len(sigma_w) - 1, 1, -1):
        chi = scaled_square(sigma_w[index], expectation(activation, sizes[index], slope=2))
        with np.errstate(over="ignore"):  # infinite, as a prediction may be
            factors.append(factors[-1] * chi * fans[index] / fans[index - 1])
    return np.append(np.nan, np.sqrt(np.mean(factors[::-1], axis=1)))


def _limits(activation: Activation, sigma_w: Floats, sigma_b: Floats, q: Floats) -> FixedPoint | None:
    """The limits of the maps, where these are the same in every layer but perhaps the first."""
    if any(np.ptp(scale[2:]) > 1e-12 * scale[-1] for scale in (sigma_w, sigma_b) if len(scale) > 2):
        return None
    return fixed_point(activation, sigma_w[-1], sigma_b[-1], start=q[1])
