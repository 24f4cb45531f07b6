"""What mean-field theory predicts for each layer of one network with i.i.d. weights.

Where the weights have mean zero, in the limit of large widths, with σ_w² = fan_in Var W of each layer and
σ_b² the variance of its biases:

    q_1 = σ_w² E x² + σ_b²,   q_{l+1} = σ_w² E φ(√q_l z)² + σ_b²
    c_{l+1} = (σ_w² E φ(u) φ(v) + σ_b²) / q_{l+1},   u, v ~ N(0, q_l) of correlation c_l
    E y² = σ_w² E φ(√q_L z)²,   y = h_L W_out, σ_w² that of the readout
    E g_{l-1}² / E g_l² = σ_w² (n_l / n_{l-1}) E φ'(√q_l z)²,   g = ∂L/∂h, n_l units in layer l

(Poole et al. 2016; Schoenholz et al. 2017); where they have not, see ``coherent``. An input's examples
need not be of one size: q is followed for each of a few sizes that are equally frequent.

All this is of exact arithmetic. What is followed is √q, and gradients as mantissas with exponents, so that
only a standard deviation that is itself beyond the range of float64 is 0 or inf; squares may be before.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from winit.network import coherent
from winit.network.activations import Activation
from winit.network.arrays import Array
from winit.network.cells import Probe, hidden_widths, input_width
from winit.network.correlation import cosine_map, joint_gap
from winit.network.draws import Draws
from winit.network.initializers import Initializer, Law, Layer
from winit.network.inputs import Input, input_of
from winit.network.meanfield import FixedPoint, fixed_point
from winit.network.quadrature import SCALE_FREE, mean, root_mean_square, small_deviation
from winit.network.sources import Sources
from winit.network.spread import Ensemble, Spread, spread_of

Floats = NDArray[np.float64]

# Relative to E φ²: what of E φ² − (E φ)² is rounding.
_CANCELLED = 1e-6
# Variances, whether within the range of numbers or not, go where these go.
_STARTS = 1e-300, 1e300


@dataclass(frozen=True)
class Prediction:
    """Predicted rows 0 (the input) … depth of a cell, each of shape (depth + 1,); NaN where there is none.

    Names are those of the columns of ``theory.parquet``, which say what they mean.
    """

    sigma_w: Array
    sigma_b: Array
    q: Array
    z_std: Array
    h_mean: Array
    h_std: Array
    h_second_moment: Array
    cosine_mean: Array
    pair_correlation: Array
    g_std_ratio: Array
    y_std: Array
    """In the last row alone."""
    spread: Spread
    limits: FixedPoint | None
    """Where the maps lead; None where σ_w or σ_b differ from layer to layer."""


def predict(
    initializer: Initializer,
    activation: Activation,
    depth: int,
    width: str,
    probe: Probe,
    sources: Sources = (),
) -> Prediction | None:
    """The prediction for a network; None where its weights are not i.i.d.

    ``sources`` has those of one's own input.
    """
    found = _iid(initializer, activation, depth, width, probe)
    if found is None:
        return None
    laws, fans = found
    kind = input_of(probe.input, sources)
    if any(law.mean for pair in laws for law in pair):
        return _with_mean(activation, laws, fans, probe, kind)
    return _without_mean(activation, laws, fans, probe, kind)


def predicted_stds(
    initializer: Initializer,
    activation: Activation,
    depth: int,
    width: str,
    probe: Probe,
    sources: Sources = (),
) -> tuple[Array, Array] | None:
    """``h_std`` and ``y_std`` of ``predict``, each of shape (depth + 1,), without the time for the rest.

    None likewise.
    """
    found = _iid(initializer, activation, depth, width, probe)
    if found is None:
        return None
    laws, fans = found
    kind = input_of(probe.input, sources)
    if any(law.mean for pair in laws for law in pair):
        whole = _with_mean(activation, laws, fans, probe, kind)
        return whole.h_std, whole.y_std
    inputs = kind.moments(fans[0])
    sizes, squares = _sizes(activation, *_sigmas(laws, fans), inputs.second_moments)
    stds = _h_stds(activation, sizes, mean(activation, sizes[1:]), squares[1:], inputs.mean)
    return stds, _y_std(laws, fans, squares)


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
    activation: Activation, laws: list[tuple[Law, Law]], fans: tuple[int, ...], probe: Probe, kind: Input
) -> Prediction:
    """By ``coherent``, which knows no spread, no correlations and no limits."""
    *layers, (readout, _) = laws
    scales = coherent.Scales(
        *(
            np.array([np.nan, *values])
            for values in zip(*((w.std, w.mean, b.std, b.mean) for w, b in layers), strict=True)
        )
    )
    population = kind.population(fans[0])
    found = coherent.signal(activation, scales, (readout.std, readout.mean), fans, population, probe.outputs)
    nothing = np.full(len(fans), np.nan)
    return Prediction(
        sigma_w=scales.weight_std * np.sqrt([np.nan, *fans[:-1]]),
        sigma_b=scales.bias_std,
        q=_square(found.z_rms),
        z_std=found.z_std,
        h_mean=found.h_mean,
        h_std=found.h_std,
        h_second_moment=_square(found.h_rms),
        cosine_mean=nothing,
        pair_correlation=nothing,
        g_std_ratio=found.g_std_ratio,
        y_std=_in_the_last(found.y_std, len(fans)),
        spread=Spread(nothing, nothing, nothing, nothing),
        limits=None,
    )


def _square(root: Array) -> Array:
    """0 or infinite where only the root is within the range of numbers."""
    with np.errstate(over="ignore", under="ignore"):
        return root**2


def _without_mean(
    activation: Activation, laws: list[tuple[Law, Law]], fans: tuple[int, ...], probe: Probe, kind: Input
) -> Prediction:
    layers = laws[:-1]
    sigma_w, sigma_b = _sigmas(laws, fans)
    inputs = kind.moments(fans[0])
    sizes, squares = _sizes(activation, sigma_w, sigma_b, inputs.second_moments)
    means = mean(activation, sizes[1:])
    forward = _Forward(activation, sigma_w, sigma_b, _rms(sizes), squares[:, 0])
    if sizes.shape[1] > 1:
        forward = replace(forward, rms=forward.rms_at(forward.roots))
    of_pair, of_strangers = (_correlations(forward, start) for start in (kind.correlation, inputs.cosine))
    alike = kind.correlation is None and sizes.shape[1] == 1
    size_variance, batch_variance = kind.size_variances(fans[0], probe.batch)
    scaled_w, scaled_b, scaled_q = _within_numbers(forward)
    ensemble = Ensemble(
        activation=activation,
        sigma_w=scaled_w,
        sigma_b=scaled_b,
        fans=fans,
        q=scaled_q,
        cosine=of_strangers,
        kurtosis=np.array([np.nan, *(w.excess_kurtosis for w, _ in layers)]),
        bias_kurtosis=np.array([np.nan, *(b.excess_kurtosis for _, b in layers)]),
        fourth_moment=inputs.fourth_moment,
        batch=probe.batch,
        outputs=probe.outputs,
        size_variance=size_variance,
        batch_variance=batch_variance,
    )
    return Prediction(
        sigma_w=sigma_w,
        sigma_b=sigma_b,
        q=np.append(np.nan, _square(forward.roots[1:])),
        z_std=np.append(np.nan, forward.roots[1:]),
        h_mean=np.append(inputs.mean, means.mean(axis=1)),
        h_std=_h_stds(activation, sizes, means, squares[1:], inputs.mean),
        h_second_moment=_square(_rms(squares)),
        cosine_mean=_cosines(forward, of_strangers) if alike else np.full(len(sizes), np.nan),
        pair_correlation=of_pair,
        g_std_ratio=_gradient_ratios(activation, sigma_w, sizes, fans),
        y_std=_y_std(laws, fans, squares),
        spread=spread_of(ensemble),
        limits=_limits(activation, sigma_w, sigma_b, forward.roots[1]),
    )


@dataclass(frozen=True)
class _Forward:
    """Of the layers 0 … depth, all sizes taken together: σ_w, σ_b, √q and √E φ²; row 0 has √E x² for both."""

    activation: Activation
    sigma_w: Floats
    sigma_b: Floats
    roots: Floats
    rms: Floats

    def rms_at(self, roots: Floats) -> Floats:
        """√E φ² of other √q; row 0 stays."""
        return np.append(roots[0], root_mean_square(self.activation, roots[1:], h=1))

    def shares(self) -> Iterator[tuple[float, float]]:
        """For the layers 1, 2, …: how much of its √q is of the weights, and of the biases; 0 / 0 is NaN."""
        for index in range(1, len(self.roots)):
            of_weights = _scaled(self.sigma_w[index], self.rms[index - 1 : index])[0]
            with np.errstate(all="ignore"):
                yield of_weights / self.roots[index], self.sigma_b[index] / self.roots[index]


def _sigmas(laws: list[tuple[Law, Law]], fans: tuple[int, ...]) -> tuple[Floats, Floats]:
    """σ_w and σ_b of each layer; NaN for the input."""
    layers = laws[:-1]
    sigma_w = np.array([np.nan, *(w.std * np.sqrt(n) for (w, _), n in zip(layers, fans, strict=False))])
    return sigma_w, np.array([np.nan, *(b.std for _, b in layers)])


def _rms(rows: Floats) -> Floats:
    """Root of the mean square of each row, also where the squares are beyond the range of numbers."""
    scale = rows.max(axis=1, keepdims=True)
    scale = np.where((scale > 0) & (scale < np.inf), scale, 1.0)
    if rows.shape[1] == 1:
        return rows[:, 0]
    with np.errstate(over="ignore", under="ignore"):
        return scale[:, 0] * np.sqrt(np.mean((rows / scale) ** 2, axis=1))


def _h_stds(
    activation: Activation, sizes: Floats, means: Array, squares: Floats, input_mean: float
) -> Floats:
    """h_std of the input and of each layer; E φ and √E φ² of each layer and size are known."""
    return np.append(
        np.sqrt((sizes[0] ** 2).mean() - input_mean**2), _stds(activation, sizes[1:], means, squares)
    )


def _stds(activation: Activation, sizes: Floats, means: Array, squares: Floats) -> Floats:
    """h_std of each layer, over all sizes."""
    with np.errstate(all="ignore"):
        within = 1 - (means / squares) ** 2
        stds = squares * np.sqrt(np.maximum(within, 0))
        # Where φ is all but constant the difference is rounding.
        for place in zip(*np.nonzero(within < _CANCELLED), strict=True):
            stds[place] = _small_std(activation, float(sizes[place]))
        stds[squares == 0] = 0.0  # of examples of nothing but zeros
        found = np.hypot(_rms(stds), _rms(np.abs(means - means.mean(axis=1, keepdims=True))))
    nothing, infinite = (squares == 0).all(axis=1), np.isinf(squares).any(axis=1)
    return np.select([nothing, infinite], [0.0, np.inf], found)


def _small_std(activation: Activation, root: float) -> float:
    """That of φ where it is all but constant."""
    if not root:
        return 0.0
    found = small_deviation(activation, root)
    return float(np.sqrt(joint_gap(activation, root**2, 0.0))) if found is None else found


def _sizes(activation: Activation, sigma_w: Floats, sigma_b: Floats, inputs: Floats) -> tuple[Floats, Floats]:
    """√q and √E φ² of each layer for each size of the inputs, shape (depth + 1, sizes); row 0 has √E x²."""
    rows = squares = [np.sqrt(inputs)]
    for index in range(1, len(sigma_w)):
        root = np.hypot(_scaled(sigma_w[index], squares[-1]), sigma_b[index])
        rows = [*rows, root]
        squares = [*squares, root_mean_square(activation, root, h=1)]
    return np.array(rows), np.array(squares)


def _scaled(sigma_w: float, rms: Floats) -> Floats:
    """σ_w √E f², which is 0 where there are no weights, whatever overflows behind them."""
    with np.errstate(over="ignore", under="ignore"):
        return sigma_w * rms if sigma_w else np.zeros_like(rms)


def _correlations(forward: _Forward, start: float | None) -> Floats:
    """c of each layer, from that of the inputs. NaN where two zeros are compared."""
    roots = forward.roots
    if start is None:
        return np.full(len(roots), np.nan)
    found = [start]
    for index, (weights, biases) in enumerate(forward.shares(), 1):
        cosine = start if index == 1 else _cosine(forward, index - 1, found[-1])
        c = float(np.clip(weights**2 * cosine + biases**2, -1, 1))
        found.append(c if 0 < roots[index] < np.inf else np.nan)
    return np.array(found)


def _cosine(forward: _Forward, index: int, c: float) -> float:
    """Of the activations of two examples in layer ``index``, whose pre-activations have the correlation c."""
    root, rms = forward.roots[index], forward.rms[index]
    if not (np.isfinite(root) and np.isfinite(c)):
        return np.nan
    return cosine_map(forward.activation, float(root), c, float(rms))


def _cosines(forward: _Forward, c: Floats) -> Floats:
    """Of the activations of two different examples; of the inputs themselves in row 0."""
    of_h = [_cosine(forward, i, c[i]) if forward.rms[i] else np.nan for i in range(1, len(c))]
    return np.array([c[0], *of_h])


def _y_std(laws: list[tuple[Law, Law]], fans: tuple[int, ...], squares: Floats) -> Floats:
    """σ_w √E h² of the readout, which has no biases; √E φ² of each layer and size are known."""
    readout, _ = laws[-1]
    return _in_the_last(float(_scaled(readout.std * np.sqrt(fans[-1]), _rms(squares[-1:]))[0]), len(fans))


def _in_the_last(value: float, rows: int) -> Floats:
    return np.append(np.full(rows - 1, np.nan), value)


def _gradient_ratios(activation: Activation, sigma_w: Floats, sizes: Floats, fans: tuple[int, ...]) -> Floats:
    """g_std of each layer ÷ that of the last one; NaN for the input."""
    factor, exponent = np.ones(sizes.shape[1]), np.zeros(sizes.shape[1], np.int64)
    found = [1.0]
    slopes = root_mean_square(activation, sizes[1:], slope=1)
    for index in range(len(sigma_w) - 1, 1, -1):
        step = _scaled(sigma_w[index], slopes[index - 1]) * np.sqrt(fans[index] / fans[index - 1])
        factor, carried = np.frexp(factor * step)
        exponent += carried
        largest = exponent[factor != 0].max(initial=0)
        with np.errstate(over="ignore", under="ignore"):
            together = _rms(np.ldexp(factor, exponent - largest)[np.newaxis])
            found.append(float(np.ldexp(together, largest)[0]))
    return np.array([np.nan, *found[::-1]])


def _within_numbers(forward: _Forward) -> tuple[Floats, Floats, Floats]:
    """σ_w, σ_b and q of networks that stray as these do, with powers of q within the range of numbers.

    Beyond ``SCALE_FREE`` φ is a power, and how far networks stray does not depend on q. So there q is taken
    at its end, and σ_w and σ_b so that their shares of it are what they were.
    """
    roots = forward.roots
    known = (roots > 0) & (roots < np.inf)
    ends = np.where(known, np.clip(roots, *np.sqrt(SCALE_FREE)), roots)
    ends[0] = roots[0]
    moved = ends != roots
    weights, biases = forward.sigma_w.copy(), forward.sigma_b.copy()
    if moved.any():
        rms = forward.rms_at(ends)
        for index, shares in enumerate(forward.shares(), 1):
            if (moved[index] or moved[index - 1]) and rms[index - 1] > 0:
                weights[index] = shares[0] * ends[index] / rms[index - 1]
                biases[index] = shares[1] * ends[index]
    return weights, biases, np.append(np.nan, _square(ends[1:]))


def _limits(activation: Activation, sigma_w: Floats, sigma_b: Floats, root: float) -> FixedPoint | None:
    """The limits of the maps, where these are the same in every layer but perhaps the first."""
    if any(np.ptp(scale[2:]) > 1e-12 * scale[-1] for scale in (sigma_w, sigma_b) if len(scale) > 2):
        return None
    with np.errstate(over="ignore", under="ignore"):
        start = float(np.clip(root**2, *_STARTS)) if 0 < root < np.inf else float(root)
    return fixed_point(activation, float(sigma_w[-1]), float(sigma_b[-1]), start=start)
