"""From the layers of a cell to a verdict on it, in SQL over the layers table.

The verdict is a matter of judgement, the measurements are not: thresholds are settings, and a new
threshold computes no cell anew.
"""

from winit.sweep.fields import Model, Positive

VERDICTS = ("broken", "symmetric", "dead", "vanishing", "exploding", "saturated", "healthy")
"""In the order in which they are tried; the first that fits is the cell's."""


class Thresholds(Model):
    """Where a verdict begins. None of it changes a number."""

    vanishing: Positive = 0.1
    """std at the far end of the network ÷ std at the near end, below which a signal vanishes. Ours: an
    order of magnitude. Of the notes' tables with tanh and ten layers, the one they call fine falls to
    0.37, and the one they say vanishes to 5e-6 by the ninth."""
    exploding: Positive = 10.0
    """The same ratio, above which it explodes. Ours: an order of magnitude."""
    saturated: Positive = 0.75
    """Largest share of saturated entries in a layer. Ours: halfway between 0.5, which a healthy ReLU
    layer has, and 1; the notes' N(0, 1) weights with tanh and width 500 give 0.92."""
    dead: Positive = 0.5
    """Largest share of dead units in a layer. Ours: more dead than alive."""
    trained: Positive = 0.5
    """Loss at the end ÷ loss of guessing, log(classes), below which a run trains. Ours: half of it."""
    diverging: Positive = 10.0
    """Loss at the end ÷ the larger of the loss at the start and that of guessing, above which a run
    diverges though it is finite. Ours: an order of magnitude."""


TRAINING_VERDICTS = ("diverges", "stays symmetric", "trains", "stalls")
"""Of training runs, likewise."""

EVIDENCE = """
    -- the layers of a cell, boiled down; ratios are far end ÷ near end, seen from where a signal starts
    max(nonfinite_fraction) AS nonfinite_fraction,
    coalesce(bool_and(distinct_units = 1) FILTER (layer > 0 AND fan_out > 1), false) AS one_unit,
    coalesce(bool_and(distinct_errors = 1) FILTER (layer > 0 AND fan_out > 1), false) AS one_error,
    max(dead_units / fan_out) AS dead_fraction,
    max(saturated_fraction) AS saturated_fraction,
    max(h_std) FILTER (layer = depth) / nullif(max(h_std) FILTER (layer = 1), 0) AS h_std_ratio,
    max(g_std) FILTER (layer = 1) / nullif(max(g_std) FILTER (layer = depth), 0) AS g_std_ratio,
    coalesce(bool_or(g_std IS NULL) FILTER (layer > 0), true) AS g_nonfinite,
    coalesce(bool_or(g_std = 0 AND g_mean = 0), false) AS g_zero
"""


def verdict_columns(thresholds: Thresholds) -> str:
    """SQL for activation_verdict, gradient_verdict and verdict, over the columns of ``EVIDENCE``."""
    t = thresholds
    activation = f"""CASE
        WHEN nonfinite_fraction > 0 THEN 'broken'
        WHEN one_unit THEN 'symmetric'
        WHEN dead_fraction > {t.dead} THEN 'dead'
        WHEN h_std_ratio IS NULL OR h_std_ratio < {t.vanishing} THEN 'vanishing'
        WHEN h_std_ratio > {t.exploding} THEN 'exploding'
        WHEN saturated_fraction > {t.saturated} THEN 'saturated'
        ELSE 'healthy' END"""
    gradient = f"""CASE
        WHEN g_nonfinite THEN 'broken'
        WHEN one_error THEN 'symmetric'
        WHEN g_zero THEN 'dead'
        WHEN g_std_ratio < {t.vanishing} THEN 'vanishing'
        WHEN g_std_ratio > {t.exploding} THEN 'exploding'
        ELSE 'healthy' END"""
    order = "[" + ", ".join(f"'{verdict}'" for verdict in VERDICTS) + "]"
    return f"""
        {activation} AS activation_verdict,
        {gradient} AS gradient_verdict,
        {order}[least(list_position({order}, activation_verdict),
                      list_position({order}, gradient_verdict))] AS verdict
    """


TRAINING_EVIDENCE = """
    -- the recorded steps of a run, boiled down; where it diverged the loss is null
    max(step) FILTER (loss IS NULL) AS diverged_at,
    max(loss) FILTER (step = 0) AS initial_loss,
    max(loss) FILTER (step = steps) AS final_loss,
    arg_min(accuracy, step) AS initial_accuracy,
    arg_max(accuracy, step) AS final_accuracy,
    coalesce(bool_and(distinct_units = 1) FILTER (layer <= depth AND fan_out > 1), false) AS one_unit,
    ln(any_value(outputs)) AS guessing
"""


def training_verdict_columns(thresholds: Thresholds) -> str:
    """SQL for verdict, over the columns of ``TRAINING_EVIDENCE``."""
    return f"""CASE
        WHEN diverged_at IS NOT NULL
             OR final_loss > {thresholds.diverging} * greatest(initial_loss, guessing) THEN 'diverges'
        WHEN one_unit THEN 'stays symmetric'
        WHEN final_loss < {thresholds.trained} * guessing THEN 'trains'
        ELSE 'stalls' END AS verdict
    """
