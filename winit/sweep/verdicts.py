"""From the layers of a cell to a verdict on it, in SQL over the layers table.

The verdict is a matter of judgement, the measurements are not: thresholds are settings, and a new
threshold computes no cell anew.
"""

from collections.abc import Iterable
from typing import Self

import numpy as np
from pydantic import model_validator

from winit.network.activations import can_die
from winit.sweep.fields import Model, Positive, Share

VERDICTS = ("broken", "dead", "symmetric", "vanishing", "exploding", "saturated", "healthy")
"""In the order in which they are tried; the first that fits is the cell's.

What is dead is equal too, for want of anything that differs, and vanishes: so it comes first. Equal units
that vanish are symmetric, whatever the dtype makes of small numbers.
"""

_RATIOS = (
    ("vanishing", "exploding", "a signal that stays as it is"),
    ("trained", "diverging", "a run that stays at guessing"),
)
"""Thresholds on a ratio from both sides, and what must be neither below the one nor above the other."""


class Thresholds(Model):
    """Where a verdict begins. None of it changes a number.

    A signal that stays as it is has a ratio of 1: `vanishing` is 1 at most, `exploding` at least. So are
    `trained` and `diverging`, of runs that stay at guessing.
    """

    vanishing: Positive = 0.1
    """std at the far end of the network ÷ std at the near end, below which a signal vanishes. Ours: an
    order of magnitude. Of the notes' tables with tanh and ten layers, the one they call fine falls to
    0.37, and the one they say vanishes to 5e-6 by the ninth."""
    exploding: Positive = 10.0
    """The same ratio, above which it explodes. Ours: an order of magnitude."""
    saturated: Share = 0.75
    """Largest share of saturated entries in a layer. Ours: halfway between 0.5, which a healthy ReLU
    layer has, and 1; the notes' N(0, 1) weights with tanh and width 500 give 0.92."""
    dead: Share = 0.5
    """Largest share of dead units in a layer. Ours: more dead than alive."""
    trained: Positive = 0.5
    """Loss at the end ÷ loss of guessing, log(classes), below which a run trains. Ours: half of it."""
    diverging: Positive = 10.0
    """Loss at the end ÷ the larger of the loss at the start and that of guessing, above which a run
    diverges though it is finite. Ours: an order of magnitude."""

    @model_validator(mode="after")
    def _what_stays_as_it_is_is_between_them(self) -> Self:
        wrong = []
        for low, high, what in _RATIOS:
            below, above = getattr(self, low), getattr(self, high)
            if not below <= 1 <= above:
                swapped = f"write {low}: {above:g}, {high}: {below:g}"
                apart = f"{low} is to be 1 at most, and {high} 1 at least"
                mend = swapped if above <= 1 <= below else apart
                wrong.append(f"{low} is {below:g} and {high} {above:g}, where {what} has 1; {mend}")
        if wrong:
            raise ValueError("; ".join(wrong))
        return self


TRAINING_VERDICTS = ("diverges", "stays symmetric", "trains", "stalls")
"""Of training runs, likewise."""

# The smallest number of a dtype that has all its digits.
_TINY = (
    f"(CASE dtype WHEN 'float64' THEN {float(np.finfo(np.float64).tiny)!r}"
    f" ELSE {float(np.finfo(np.float32).tiny)!r} END)"
)
# No entry is far beyond these; a mean square would underflow where they do not.
_Z, _G = "greatest(z_std, abs(z_mean))", "greatest(g_std, abs(g_mean))"
# As exactly as columns are compared. BLAS adds up the columns of wide layers in two or three ways, so that
# equal weights may give as many; units that differ for another reason, as by their biases, are many more.
_EQUAL_WEIGHTS = "w_std <= 1e-6 * abs(w_mean)"
_ROUNDED = "1 + fan_out / 10.0"
# Of some entry at least a difference in z shows in h, far above the tolerance of comparing columns.
_TELLING = (
    f"saturated_fraction < 1 AND z_std >= {_TINY}"
    " AND derivative_max * z_std > 1e-4 * greatest(abs(h_min), abs(h_max))"
)
_ZERO_WEIGHTS = "w_std = 0 AND w_mean = 0"
_OF_SEVERAL = "FILTER (layer > 0 AND fan_out > 1)"

EVIDENCE = f"""
    -- the layers of a cell, boiled down; ratios are far end ÷ near end, seen from where a signal starts
    any_value(activation) AS phi,
    max(nonfinite_fraction) AS nonfinite_fraction,
    -- Units whose weights are equal are one unit. Others show that they are where it would be seen if they
    -- were not: chance and rounding make units equal that are silent, saturated, or all but constant.
    coalesce(bool_and(({_EQUAL_WEIGHTS} AND distinct_units <= {_ROUNDED})
        OR (distinct_units = 1 AND {_TELLING})) {_OF_SEVERAL}, false) AS one_unit,
    coalesce(bool_and(({_EQUAL_WEIGHTS} AND distinct_errors <= {_ROUNDED})
        OR (distinct_errors = 1 AND weight_grad_norm > 0)) {_OF_SEVERAL}, false) AS one_error,
    max(dead_units / fan_out) AS dead_fraction,
    max(y_std) AS y_std,  -- defined in one row
    -- Where z is below the dtype's numbers nothing is known of the units: at z = 0 a slope of relu is 0.
    coalesce(max(dead_units / fan_out) FILTER (layer > 0 AND {_Z} >= {_TINY}), 0) AS dead_share,
    max(saturated_fraction) AS saturated_fraction,
    max(h_std) FILTER (layer = depth) / nullif(max(h_std) FILTER (layer = 1), 0) AS h_std_ratio,
    max(g_std) FILTER (layer = 1) / nullif(max(g_std) FILTER (layer = depth), 0) AS g_std_ratio,
    coalesce(bool_or(g_std IS NULL) FILTER (layer > 0), true) AS g_nonfinite,
    coalesce(bool_or({_G} = 0), false) AS g_zero,
    -- by weights of zero, those of the readout or of a layer between
    coalesce(bool_or((layer = depth AND {_G} = 0) OR (layer > 1 AND {_ZERO_WEIGHTS})), false) AS g_cut,
    -- by the dtype: products of numbers as small as these are 0
    coalesce(bool_or({_Z} < {_TINY} OR ({_G} > 0 AND {_G} < sqrt({_TINY}))), false) AS underflow
"""


def verdict_columns(thresholds: Thresholds, activations: Iterable[str]) -> str:
    """SQL for activation_verdict, gradient_verdict and verdict, over the columns of ``EVIDENCE``.

    ``activations`` are the labels of those that may be among the cells'.
    """
    t, dies = thresholds, _dies(activations)
    activation = f"""CASE
        WHEN nonfinite_fraction > 0 THEN 'broken'
        WHEN {dies} AND dead_share > {t.dead} THEN 'dead'
        WHEN one_unit THEN 'symmetric'
        WHEN h_std_ratio IS NULL OR h_std_ratio < {t.vanishing} THEN 'vanishing'
        WHEN h_std_ratio > {t.exploding} THEN 'exploding'
        WHEN saturated_fraction > {t.saturated} THEN 'saturated'
        ELSE 'healthy' END"""
    gradient = f"""CASE
        WHEN g_nonfinite THEN 'broken'
        WHEN {dies} AND dead_share = 1 THEN 'dead'
        WHEN one_error THEN 'symmetric'
        WHEN g_zero AND (g_cut OR ({dies} AND NOT underflow)) THEN 'dead'
        WHEN g_zero OR g_std_ratio < {t.vanishing} THEN 'vanishing'
        WHEN g_std_ratio > {t.exploding} THEN 'exploding'
        ELSE 'healthy' END"""
    order = "[" + ", ".join(f"'{verdict}'" for verdict in VERDICTS) + "]"
    return f"""
        {activation} AS activation_verdict,
        {gradient} AS gradient_verdict,
        {order}[least(list_position({order}, activation_verdict),
                      list_position({order}, gradient_verdict))] AS verdict
    """


def _dies(activations: Iterable[str]) -> str:
    """SQL: whether a slope of 0 is one of φ itself, and not a tiny one that was rounded."""
    never = [label for label in sorted(set(activations)) if not can_die(label)]
    quoted = ", ".join("'" + label.replace("'", "''") + "'" for label in never)
    return f"phi NOT IN ({quoted})" if never else "true"


_HIDDEN = "layer <= depth AND fan_out > 1"

TRAINING_EVIDENCE = f"""
    -- the recorded steps of a run, boiled down; where it diverged the loss is null
    any_value(activation) AS phi,
    max(step) FILTER (loss IS NULL) AS diverged_at,
    max(loss) FILTER (step = 0) AS initial_loss,
    max(loss) FILTER (step = steps) AS final_loss,
    arg_min(accuracy, step) AS initial_accuracy,
    arg_max(accuracy, step) AS final_accuracy,
    -- Whether units are made equal by their weights at the start, or are kept so by equal gradients; and
    -- whether it is their death at the start that makes them equal.
    coalesce(bool_and(distinct_units <= {_ROUNDED}) FILTER ({_HIDDEN})
        AND bool_and({_EQUAL_WEIGHTS}) FILTER (step = 0 AND {_HIDDEN}), false) AS made_equal,
    coalesce(bool_and(distinct_units = 1) FILTER ({_HIDDEN})
        AND bool_and(distinct_errors = 1 AND weight_grad_norm > 0) FILTER (step = 0 AND {_HIDDEN}), false)
        AS kept_equal,
    coalesce(bool_or(dead_units = fan_out AND NOT ({_ZERO_WEIGHTS}))
        FILTER (step = 0 AND layer <= depth), false) AS born_dead,
    ln(any_value(outputs)) AS guessing
"""


def training_verdict_columns(thresholds: Thresholds, activations: Iterable[str]) -> str:
    """SQL for verdict, over the columns of ``TRAINING_EVIDENCE``; ``activations`` as for cells."""
    dies = _dies(activations)
    return f"""CASE
        WHEN diverged_at IS NOT NULL
             OR final_loss > {thresholds.diverging} * greatest(initial_loss, guessing) THEN 'diverges'
        WHEN (made_equal OR kept_equal) AND NOT (born_dead AND {dies}) THEN 'stays symmetric'
        WHEN final_loss < {thresholds.trained} * guessing THEN 'trains'
        ELSE 'stalls' END AS verdict
    """
