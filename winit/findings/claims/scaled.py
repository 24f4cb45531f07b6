"""Weights scaled by the connections of their layer, Xavier's (Glorot's) and He's, and the notes' tables."""

from winit.findings.claims.claim import GUESSED, LEARNED, Band, Claim, at_least, at_most, pushed, trained
from winit.findings.claims.notes import NOTE_000, NOTE_002, NOTE_003
from winit.findings.claims.sizes import H_RATIO, H_RATIO_WORDS
from winit.findings.notes import ACTIVATION, BATCH, DECIMALS, DEPTH, NOTE_TABLES, WIDTH, NoteTable

TAPER = "500-50"
XAVIER = "lecun_normal"
"""What the notes call by this name: randn / √fan_in."""
DOUBLED = "variance_scaling(scale=4.0)"
_PER_LAYER = "pow(max(h_std) FILTER (layer = 10) / max(h_std) FILTER (layer = 1), 2.0 / 9)"
_PER_LAYER_WORDS = "variance of h, layer over layer: the factor on average from layer 1 to 10"
_VARIANCE = "avg(w_std * w_std * {n})"
# Excess kurtosis from the histogram of tanh: 30 bins of width 1/15 from −1, between under- and overflow.
_MOMENT = "list_sum(list_transform(h_histogram, lambda count, i: count * pow((i - 1.5) / 15 - 1, {k})))"
_KURTOSIS = f"({_MOMENT.format(k=4)} * list_sum(h_histogram) / pow({_MOMENT.format(k=2)}, 2) - 3)"


def _table(note: NoteTable, id_: str) -> Claim:
    # Six decimals are given: where they say a number to a percent, it can be compared.
    known = [(layer, std) for layer, std in enumerate(note.std, 1) if std >= 100 * 0.5 * 10**-DECIMALS]
    values = ", ".join(f"({layer}, {std})" for layer, std in known)
    return Claim(
        id_,
        f"The stds that the note prints for W = {note.heading} are those of its experiment.",
        NOTE_002,
        pushed(note.initializer, ACTIVATION, depth=DEPTH, width=WIDTH, batch=BATCH),
        "layers",
        "max(abs(h_std / printed - 1))",
        f"largest deviation of the std of h from the printed one, over {len(known)} layers",
        at_most(0.03),
        source=f"layers JOIN (VALUES {values}) AS note(layer, printed) USING (layer)",
    )


TABLE_CLAIMS = tuple(
    _table(note, id_)
    for note, id_ in zip(NOTE_TABLES, ("table-small", "table-large", "table-xavier"), strict=True)
)

XAVIER_CLAIMS = (
    Claim(
        "xavier-keeps-tanh-alive",
        "randn / √fan_in keeps ten tanh layers alive.",
        NOTE_002,
        pushed(XAVIER, "tanh"),
        "layers",
        H_RATIO,
        H_RATIO_WORDS,
        at_least(0.1),
    ),
    Claim(
        "xavier-not-saturated",
        "With randn / √fan_in no tanh layer starts in the saturated regions.",
        NOTE_003,
        pushed(XAVIER, "tanh"),
        "layers",
        "max(saturated_fraction)",
        "share of entries with tanh' below 0.05 in a layer, at most",
        at_most(0.1),
        rows="layer > 0",
    ),
    Claim(
        "xavier-normally-distributed",
        "With randn / √fan_in the activations of every tanh layer are normally distributed.",
        NOTE_002,
        pushed(XAVIER, "tanh"),
        "layers",
        f"max(abs{_KURTOSIS})",
        "excess kurtosis of the activations of a layer, largest magnitude; 0 is normal",
        at_most(0.5),
        rows="layer > 0",
        why="tanh of a standard normal signal is flatter than a normal one; only when the signal has become"
        " small does tanh leave its shape alone.",
    ),
    Claim(
        "xavier-unit-variance-first",
        "randn / √fan_in makes Var(w · x) = 1: in the first layer, for inputs of variance 1.",
        NOTE_003,
        pushed(XAVIER, "tanh"),
        "layers",
        "max(z_std * z_std)",
        "variance of w · x in layer 1",
        Band(0.95, 1.05),
        rows="layer = 1",
    ),
    Claim(
        "xavier-unit-variance-all",
        "randn / √fan_in makes Var(w · x) = 1: in every tanh layer.",
        NOTE_003,
        pushed(XAVIER, "tanh"),
        "layers",
        "min(z_std * z_std)",
        "smallest variance of w · x in a layer",
        Band(0.95, 1.05),
        rows="layer > 0",
        why="It keeps the mean square of what comes in, and tanh makes that smaller from layer to layer.",
    ),
    Claim(
        "xavier-needs-normalized-inputs",
        "It takes normalized inputs: with integer pixels w · x is too large.",
        NOTE_003,
        pushed(XAVIER, "tanh", input="uint8"),
        "layers",
        "max(z_std * z_std)",
        "variance of w · x in layer 1",
        at_least(10),
        rows="layer = 1",
        logarithmic=True,
    ),
    Claim(
        "xavier-trains-tanh",
        "randn / √fan_in lets ten tanh layers be trained.",
        NOTE_003,
        trained(XAVIER, "tanh", 10),
        "training_runs",
        "max(final_accuracy)",
        "held-out accuracy",
        LEARNED,
    ),
    Claim(
        "normal-numbers-do-not-work",
        "Normally distributed random numbers do not work as deep networks' weights.",
        NOTE_002,
        trained(XAVIER, "tanh", 10),
        "training_runs",
        "max(final_accuracy)",
        "held-out accuracy of ten tanh layers with normal weights of variance 1 / fan_in",
        GUESSED,
        why="It is the size that decides, not the normal distribution: Xavier's weights are normal too.",
    ),
    Claim(
        "xavier-fails-relu",
        "For ReLU, randn / √fan_in halves the variance in each layer.",
        NOTE_000,
        pushed(XAVIER, "relu"),
        "layers",
        _PER_LAYER,
        _PER_LAYER_WORDS,
        Band(0.45, 0.55),
    ),
    Claim(
        "relu-kills-half",
        "ReLU kills half of its inputs.",
        NOTE_000,
        pushed(XAVIER, "relu"),
        "layers",
        "avg(h_zero_fraction)",
        "share of activations that are zero, mean over the layers",
        Band(0.45, 0.55),
        rows="layer > 0",
    ),
    Claim(
        "larger-fan-in-larger-variance",
        "The larger fan_in, the smaller weights should be: Var(w · x) grows with fan_in.",
        NOTE_000,
        pushed("normal(std=0.01)", "tanh", width=TAPER),
        "layers",
        "regr_slope(ln(z_std * z_std / (w_std * w_std * fed)), ln(fan_in))",
        "power of fan_in with which Var(w · x) grows, equal weights and inputs given",
        Band(0.95, 1.05),
        rows="layer > 0",
        source=(
            "(SELECT *, lag(h_second_moment) OVER (PARTITION BY cell_id ORDER BY layer) AS fed FROM layers)"
        ),
    ),
)

VARIANT_CLAIMS = (
    Claim(
        "notes-xavier-is-glorots",
        "randn / √fan_in is the initialization of Glorot & Bengio: where layers differ in width.",
        NOTE_002,
        pushed(XAVIER, "tanh", width=TAPER),
        "layers",
        _VARIANCE.format(n="fan_in"),
        "variance of the weights of layer 10 ÷ that of glorot_normal, on a taper",
        Band(0.98, 1.02),
        rows="layer = 10",
        beside=pushed("glorot_normal", "tanh", width=TAPER),
        why="The paper's variance is 2 / (fan_in + fan_out); 1 / fan_in is LeCun's (1998).",
    ),
    Claim(
        "notes-xavier-is-glorots-on-squares",
        "randn / √fan_in is the initialization of Glorot & Bengio: where all layers are equally wide.",
        NOTE_002,
        pushed(XAVIER, "tanh"),
        "layers",
        _VARIANCE.format(n="fan_in"),
        "variance of the weights ÷ that of glorot_normal, mean over the layers",
        Band(0.98, 1.02),
        rows="layer > 0",
        beside=pushed("glorot_normal", "tanh"),
    ),
    Claim(
        "glorot-uses-both-fans",
        "Glorot's weights take account of incoming and outgoing connections.",
        NOTE_003,
        pushed(("glorot_normal", "glorot_uniform"), "tanh", width=TAPER),
        "layers",
        _VARIANCE.format(n="(fan_in + fan_out) / 2"),
        "variance of the weights × (fan_in + fan_out) / 2, mean over the layers of a taper",
        Band(0.98, 1.02),
        rows="layer > 0",
    ),
    Claim(
        "glorot-variants-agree",
        "Glorot's normal and uniform variant have one variance.",
        NOTE_003,
        pushed("glorot_uniform", "tanh", width=TAPER),
        "layers",
        _VARIANCE.format(n="(fan_in + fan_out)"),
        "variance of glorot_uniform ÷ that of glorot_normal, on a taper",
        Band(0.98, 1.02),
        rows="layer > 0",
        beside=pushed("glorot_normal", "tanh", width=TAPER),
    ),
    Claim(
        "he-uses-fan-in",
        "He's weights, normal and uniform, have the variance 2 / fan_in.",
        NOTE_003,
        pushed(("he_normal", "he_uniform"), "relu", width=TAPER),
        "layers",
        _VARIANCE.format(n="fan_in"),
        "variance of the weights × fan_in, mean over the layers of a taper",
        Band(1.96, 2.04),
        rows="layer > 0",
    ),
    Claim(
        "he-variants-agree",
        "He's normal and uniform variant have one variance.",
        NOTE_003,
        pushed("he_uniform", "relu", width=TAPER),
        "layers",
        _VARIANCE.format(n="fan_in"),
        "variance of he_uniform ÷ that of he_normal, on a taper",
        Band(0.98, 1.02),
        rows="layer > 0",
        beside=pushed("he_normal", "relu", width=TAPER),
    ),
)

HE_CLAIMS = (
    Claim(
        "he-repairs-relu",
        "He's weights keep the variance through ten ReLU layers.",
        NOTE_000,
        pushed("he_normal", "relu"),
        "layers",
        _PER_LAYER,
        _PER_LAYER_WORDS,
        Band(0.9, 1.1),
    ),
    Claim(
        "he-doubles-weights",
        "He's weights are Xavier's, doubled.",
        NOTE_000,
        pushed("he_normal", "relu"),
        "layers",
        "avg(w_std)",
        "std of he_normal ÷ that of randn / √fan_in",
        Band(1.95, 2.05),
        rows="layer > 0",
        beside=pushed(XAVIER, "relu"),
        why="The variance is doubled, so that the weights grow by √2.",
    ),
    Claim(
        "he-doubles-variance",
        "He's weights have twice the variance of Xavier's.",
        NOTE_000,
        pushed("he_normal", "relu"),
        "layers",
        "avg(w_std * w_std)",
        "variance of he_normal ÷ that of randn / √fan_in",
        Band(1.95, 2.05),
        rows="layer > 0",
        beside=pushed(XAVIER, "relu"),
    ),
    Claim(
        "doubled-weights-repair-relu",
        "Doubling Xavier's weights makes them right for ReLU.",
        NOTE_000,
        pushed(DOUBLED, "relu"),
        "layers",
        _PER_LAYER,
        _PER_LAYER_WORDS,
        Band(0.9, 1.1),
        why="Twice the weights are four times the variance, twice what ReLU takes away: the signal explodes.",
    ),
)
