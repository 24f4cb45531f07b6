"""The colours of all figures: Okabe & Ito's palette, safe for the colour-blind.

Whatever a colour says is said a second time, by a sign, a shape, or in words. What is black on white paper
is a hole of the charts (``drawing.filled``), since a dark page exchanges the two.
"""

INK, PAPER = "@ink", "@paper"
PRINTED = {INK: "#000000", PAPER: "#ffffff"}
"""As figures for papers have them."""

VERDICTS = {
    "healthy": "#009E73",
    "saturated": "#E69F00",
    "exploding": "#D55E00",
    "vanishing": "#0072B2",
    "dead": "#8C8C8C",
    "symmetric": "#CC79A7",
    "broken": INK,
}
"""Of networks that signals are pushed through, from the best to the worst."""

TRAINING_VERDICTS = {
    "trains": "#009E73",
    "stalls": "#0072B2",
    "stays symmetric": "#CC79A7",
    "diverges": "#D55E00",
}

CLAIM_VERDICTS = {"holds": "#009E73", "does not hold": "#D55E00", "undecided": "#767676"}

SERIES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#767676", "#9A6324")
"""Of networks that are compared; with ``SHAPES`` no two of 24 look alike.

None is black, which is theory's: a brown stands for it that is not Okabe & Ito's.
"""
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")

BAND = "#56B4E9"
CRITICAL = "#56B4E9"
