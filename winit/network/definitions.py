"""How each column of the layers and training tables is defined, for the page about the statistics."""

from dataclasses import dataclass

from winit.network.diagnostics import COSINE_EXAMPLES, SATURATION
from winit.network.summaries import HISTOGRAM_BINS, MAGNITUDE_DECADES


@dataclass(frozen=True)
class Definition:
    """Of one column.

    In formulas mean and std are over all entries of an array; std divides by their number, not by one less.
    """

    formula: str
    null: str


_HIDDEN = "layer 0"
_OF_Z = f"{_HIDDEN}; an entry of z is not finite"
_OF_H = "an entry of h is not finite"
_OF_SLOPES = f"{_HIDDEN}; an entry of φ'(z) is not finite"
_OF_G = f"{_HIDDEN}; an entry of g is not finite"
_OF_W = f"{_HIDDEN}; an entry of h_{{l-1}} or δ_l is not finite"
_FIRST, _LAST = MAGNITUDE_DECADES
_COUNTS = "`probe.histograms` is false"

DEFINITIONS = {
    "z_mean": Definition("mean(z_l)", _OF_Z),
    "z_std": Definition("std(z_l)", _OF_Z),
    "h_mean": Definition("mean(h_l)", _OF_H),
    "h_std": Definition("std(h_l)", _OF_H),
    "h_second_moment": Definition("mean(h_l²)", _OF_H),
    "h_min": Definition("min(h_l), −∞ too", "an entry of h is NaN"),
    "h_max": Definition("max(h_l), ∞ too", "an entry of h is NaN"),
    "h_zero_fraction": Definition("#{h_l = 0} ÷ (batch · n_l)", "never"),
    "nonfinite_fraction": Definition(
        "#{z_l or h_l is infinite or NaN} ÷ (batch · n_l); of layer 0 #{h_0 …}", "never"
    ),
    "derivative_mean": Definition("mean(φ'(z_l))", _OF_SLOPES),
    "derivative_second_moment": Definition("mean(φ'(z_l)²)", _OF_SLOPES),
    "derivative_max": Definition("max |φ'(z_l)|", _OF_SLOPES),
    "saturated_fraction": Definition(
        f"#{{|φ'(z_l)| < {SATURATION} · max |φ'|}} ÷ (batch · n_l), the maximum over 20,001 points"
        " z = −10 … 10",
        _OF_SLOPES,
    ),
    "dead_units": Definition("#{units j with φ'(z_bj) = 0 for every example b}", _OF_SLOPES),
    "distinct_units": Definition(
        "number of different columns of h_l; i and j are one where"
        " max_b |h_bi − h_bj| ≤ 1e-6 · max_b max(|h_bi|, |h_bj|)",
        _OF_H,
    ),
    "distinct_errors": Definition(
        "the same of δ_l = g_l ⊙ φ'(z_l)", f"{_HIDDEN}; an entry of δ is not finite"
    ),
    "cosine_mean": Definition(
        f"mean over pairs a < b of h_a · h_b ÷ (‖h_a‖ ‖h_b‖), of the first {COSINE_EXAMPLES} examples",
        "fewer than two of these examples have a direction",
    ),
    "cosine_std": Definition("std of the same over the pairs", "as `cosine_mean`"),
    "pair_correlation": Definition(
        "mean over k of z_2k · z_2k+1 ÷ (‖z_2k‖ ‖z_2k+1‖), all examples; of layer 0 of x",
        "the input is not `pairs`; an example is zero everywhere, or not finite",
    ),
    "w_mean": Definition("mean(W_l)", _HIDDEN),
    "w_std": Definition("std(W_l)", _HIDDEN),
    "g_mean": Definition("mean(g_l), g_l = ∂L/∂h_l per example", _OF_G),
    "g_std": Definition("std(g_l)", _OF_G),
    "weight_grad_mean": Definition("mean(∂L/∂W_l), ∂L/∂W_l = h_{l-1}ᵀ δ_l ÷ batch", _OF_W),
    "weight_grad_std": Definition("std(∂L/∂W_l)", _OF_W),
    "weight_grad_norm": Definition("‖∂L/∂W_l‖ = √Σ (∂L/∂W_l)²", _OF_W),
    "y_std": Definition(
        "std(y), y = h_L W_out, over batch and outputs", "layer 0 … L − 1; an entry of y is not finite"
    ),
    "h_histogram": Definition(
        f"#{{h_l in each of {HISTOGRAM_BINS} equal bins}}, below and above them; a bin has its lower"
        " edge, the last one both",
        f"{_COUNTS}; all entries are NaN",
    ),
    "h_magnitude": Definition(
        f"#{{10^k ≤ |h_l| < 10^(k+1)}}, k = −{-_FIRST} … {_LAST - 1}, and what is zero, below,"
        " above, not finite",
        _COUNTS,
    ),
    "g_magnitude": Definition("the same of g_l", f"{_HIDDEN}; {_COUNTS}"),
    "loss": Definition(
        "mean over the training examples of −log softmax(y)[class]", "the run diverged at this step"
    ),
    "accuracy": Definition(
        "share of the held-out examples whose largest output is their class and whose outputs are finite",
        "never",
    ),
    "update_to_weight": Definition(
        "η ‖∂L/∂W_l‖ ÷ ‖W_l‖", "W_l is zero; an entry of h_{l-1} or δ_l is not finite"
    ),
}
"""By the names of the columns."""
