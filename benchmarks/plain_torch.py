"""The statistics of winit as a PyTorch user takes them: modules, hooks and autograd.

Each cell is a network of its own: an ``nn.Sequential`` of ``nn.Linear`` and activation modules with weights
from ``nn.init``, a forward pass, and ``backward`` from a random cotangent. Forward hooks on the activations,
and hooks on the tensors for the gradients, measure a layer as it comes, while its arrays are in the cache.

It takes the columns of winit, in float32, by PyTorch's own functions: ``mean`` and ``std`` (``std_mean`` took
eight times as long; the norm of the centred values would be faster still, by a few hundredths of the whole),
``aminmax``, ``bincount`` of the rounded values (``histc`` took twice as long). What can be had from another
statistic is not computed again. It spares what nobody needs: the initial weights of ``nn.Linear``, and
the gradients of the readout and of the input.

Numbers below 1e-38 are kept, as they are in winit, though the processor multiplies them slowly.
``flush_subnormals`` makes them zero: that is what to do where speed counts more than what vanishes.

It is less careful than winit. Statistics overflow and underflow where float32 does, different units are
told apart by one random projection, and values near the edge of a bin may fall to the other side.
It has no pairs of examples, no biases, and φ' of three activations.
"""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from winit.network.activations import histogram_range
from winit.network.cells import Cell, hidden_widths
from winit.network.diagnostics import COSINE_EXAMPLES, SATURATION
from winit.network.labels import parse
from winit.network.summaries import HISTOGRAM_BINS, MAGNITUDE_DECADES

Row = dict[str, Any]

TOLERANCE = 1e-6
"""Projections that differ by less than this share of the largest are of one unit."""
LEAST_DECADE, LAST_DECADE = -45, 38
"""Of the magnitudes of float32."""


def lecun_normal_(weight: Tensor) -> Tensor:
    return nn.init.kaiming_normal_(weight, nonlinearity="linear")


def lecun_uniform_(weight: Tensor) -> Tensor:
    return nn.init.kaiming_uniform_(weight, nonlinearity="linear")


def he_normal_(weight: Tensor) -> Tensor:
    return nn.init.kaiming_normal_(weight, nonlinearity="relu")


def he_uniform_(weight: Tensor) -> Tensor:
    return nn.init.kaiming_uniform_(weight, nonlinearity="relu")


def variance_scaling_(weight: Tensor, scale: float) -> Tensor:
    return nn.init.normal_(weight, std=math.sqrt(scale / weight.shape[1]))


def constant_(weight: Tensor, value: float) -> Tensor:
    return nn.init.constant_(weight, value)


INITIALIZERS: dict[str, Callable[..., Tensor]] = {
    "zeros": nn.init.zeros_,
    "constant": constant_,
    "normal": nn.init.normal_,
    "lecun_normal": lecun_normal_,
    "lecun_uniform": lecun_uniform_,
    "glorot_normal": nn.init.xavier_normal_,
    "glorot_uniform": nn.init.xavier_uniform_,
    "he_normal": he_normal_,
    "he_uniform": he_uniform_,
    "variance_scaling": variance_scaling_,
}
ACTIVATIONS: dict[str, type[nn.Module]] = {"tanh": nn.Tanh, "relu": nn.ReLU, "sigmoid": nn.Sigmoid}
DERIVATIVES: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": lambda h: 1 - h * h,
    "relu": lambda h: (h > 0).float(),
    "sigmoid": lambda h: h * (1 - h),
}
"""φ' from h = φ(z)."""
LARGEST_DERIVATIVES = {"tanh": 1.0, "relu": 1.0, "sigmoid": 0.25}


def compute(cells: Sequence[Cell], *, flush_subnormals: bool = False) -> None:
    """Every cell's layer rows, cell by cell, on one thread."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(flush_subnormals)
    try:
        _compute(cells)
    finally:  # NumPy computes on the same thread
        torch.set_flush_denormal(False)


def _compute(cells: Sequence[Cell]) -> None:
    for cell in cells:
        torch.manual_seed(cell.seed)
        widths = hidden_widths(cell.width, cell.depth)
        x = torch.randn(cell.probe.batch, widths[0])
        cotangent = torch.randn(cell.probe.batch, cell.probe.outputs)
        measure(network(cell, widths), cell.activation, x, cotangent)


def network(cell: Cell, widths: Sequence[int]) -> nn.Sequential:
    """Linear layers without biases, each but the readout with its activation."""
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise((widths[0], *widths)):
        layers += [linear(fan_in, fan_out, cell.initializer), ACTIVATIONS[cell.activation]()]
    readout = linear(widths[-1], cell.probe.outputs, cell.initializer).requires_grad_(requires_grad=False)
    return nn.Sequential(*layers, readout)


def linear(fan_in: int, fan_out: int, initializer: str) -> nn.Linear:
    layer = nn.utils.skip_init(nn.Linear, fan_in, fan_out, bias=False)
    label = parse(initializer)
    INITIALIZERS[label.name](layer.weight, *label.positional, **dict(label.keyword))
    return layer


def measure(model: nn.Sequential, activation: str, x: Tensor, cotangent: Tensor) -> list[Row]:
    """The layer rows 0 … depth of ``model``; ``x`` and ``cotangent`` have an example in each row."""
    direction = torch.randn(len(x))
    rows = [activity(x, activation, direction)]

    def watch(module: nn.Linear) -> Callable[..., None]:
        def hook(_: nn.Module, inputs: tuple[Tensor], h: Tensor) -> None:
            (z,) = inputs
            row: Row = {}
            rows.append(row)
            with torch.no_grad():
                row |= pre_activation(z, module.weight)
                row |= activity(h, activation, direction, finite=math.isfinite(row["z_std"]), z=z)
                row |= derivative(DERIVATIVES[activation](h), LARGEST_DERIVATIVES[activation])
            h.register_hook(lambda g: row.update(gradient(g)))
            z.register_hook(lambda delta: row.update(distinct_errors=distinct(delta, direction)))
            module.weight.register_hook(lambda gradient: row.update(weight_gradient(gradient, len(x))))

        return hook

    for layer, phi in zip(model[:-1:2], model[1::2], strict=True):
        phi.register_forward_hook(watch(layer))
    y = model(x)
    _, rows[-1]["y_std"] = moments(y.detach())
    y.backward(cotangent)
    return rows


def moments(values: Tensor) -> tuple[float, float]:
    """Mean and standard deviation of all entries."""
    return values.mean().item(), values.std(correction=0).item()


def pre_activation(z: Tensor, weight: Tensor) -> Row:
    (z_mean, z_std), (w_mean, w_std) = moments(z), moments(weight)
    return {"z_mean": z_mean, "z_std": z_std, "w_mean": w_mean, "w_std": w_std}


def activity(
    h: Tensor, activation: str, direction: Tensor, *, finite: bool = True, z: Tensor | None = None
) -> Row:
    """Statistics of h; ``finite`` says whether all of z is."""
    mean, std = moments(h)
    least, largest = (end.item() for end in h.aminmax())
    bad = 0
    if not (finite and math.isfinite(std)):
        good = h.isfinite() if z is None else h.isfinite() & z.isfinite()
        bad = h.numel() - int(good.count_nonzero())
    magnitudes = magnitude_histogram(h)
    cosine_mean, cosine_std = cosines(h[:COSINE_EXAMPLES])
    return {
        "h_mean": mean,
        "h_std": std,
        "h_second_moment": std**2 + mean**2,
        "h_min": least,
        "h_max": largest,
        "h_zero_fraction": magnitudes[0].item() / h.numel(),
        "nonfinite_fraction": bad / h.numel(),
        "distinct_units": distinct(h, direction),
        "cosine_mean": cosine_mean,
        "cosine_std": cosine_std,
        "h_histogram": histogram(h, *histogram_range(activation), largest),
        "h_magnitude": magnitudes,
    }


def derivative(slope: Tensor, largest: float) -> Row:
    """Statistics of φ'(z) ≥ 0."""
    mean, std = moments(slope)
    of_units = slope.amax(dim=0)
    below = (slope < SATURATION * largest).count_nonzero().item()
    return {
        "derivative_mean": mean,
        "derivative_second_moment": std**2 + mean**2,
        "derivative_max": of_units.max().item(),
        "saturated_fraction": below / slope.numel(),
        "dead_units": len(of_units) - int(of_units.count_nonzero()),
    }


def gradient(g: Tensor) -> Row:
    mean, std = moments(g)
    return {"g_mean": mean, "g_std": std, "g_magnitude": magnitude_histogram(g)}


def weight_gradient(total: Tensor, batch: int) -> Row:
    """From the sum over the batch."""
    mean, std = (moment / batch for moment in moments(total))
    norm = math.sqrt(total.numel() * (std**2 + mean**2))
    return {"weight_grad_mean": mean, "weight_grad_std": std, "weight_grad_norm": norm}


def distinct(values: Tensor, direction: Tensor) -> int:
    """Columns whose projections on ``direction`` differ; −1 where they are not finite."""
    projection = (direction @ values).sort().values
    largest = max(-projection[0].item(), projection[-1].item())
    if not math.isfinite(largest):
        return -1
    return 1 + int((projection.diff() > TOLERANCE * largest).count_nonzero())


def cosines(examples: Tensor) -> tuple[float, float]:
    """Mean and standard deviation over the pairs; an example that is zero everywhere has no direction."""
    norms = examples.norm(dim=1, keepdim=True)
    units = (examples / norms)[norms[:, 0] > 0]
    if len(units) < 2:
        return math.nan, math.nan
    first, second = torch.triu_indices(len(units), len(units), 1)
    return moments((units @ units.T)[first, second])


def histogram(values: Tensor, low: float, high: float, largest: float) -> Tensor:
    """Counts of underflow, 30 equal bins and overflow; NaN is counted as underflow."""
    places = (values - low).mul_(HISTOGRAM_BINS / (high - low)).floor_().clamp_(-1, HISTOGRAM_BINS).add_(1)
    counts = torch.bincount(places.nan_to_num_(0.0).byte().view(-1), minlength=HISTOGRAM_BINS + 2)
    if largest <= high:  # what is at the upper end, as tanh often is, belongs to the last bin
        counts[-2] += counts[-1]
        counts[-1] = 0
    return counts


def magnitude_histogram(values: Tensor) -> Tensor:
    """Counts of zero, below 1e-30, each decade to 1e30, 1e30 and above, and not finite."""
    decades = values.abs().log10_().nan_to_num_(math.inf).floor_()
    decades = decades.clamp_(LEAST_DECADE - 1, LAST_DECADE + 1).sub_(LEAST_DECADE - 1)
    counts = torch.bincount(decades.byte().view(-1), minlength=LAST_DECADE - LEAST_DECADE + 3)
    first, last = (decade - LEAST_DECADE + 1 for decade in MAGNITUDE_DECADES)
    inner, outer = counts[1:first].sum(), counts[last:-1].sum()
    return torch.cat([counts[:1], inner[None], counts[first:last], outer[None], counts[-1:]])
