"""The tables that winit writes: every column's name, type, meaning and unit, in this one place.

``results/README.md`` is generated from here: ``python -m winit.sweep.schema``.
"""

import sys
from collections.abc import Iterable, Sequence

import pyarrow as pa

from winit.network import training
from winit.network.diagnostics import COLUMNS, Column

_LABEL = pa.string()
# Parquet names the items of a list "element"; so do we, for one schema in memory and in the files.
COUNTS = pa.list_(pa.field("element", pa.uint32()))
ARROW_TYPES = {"float": pa.float64(), "count": pa.int32(), "counts": COUNTS}


def _field(name: str, type_: pa.DataType, description: str, unit: str = "", **more: str) -> pa.Field:
    metadata = {"description": description} | ({"unit": unit} if unit else {}) | more
    return pa.field(name, type_, metadata=metadata)


def _coded(fields: Sequence[pa.Field]) -> pa.Schema:
    """The schema of a plan: labels stand for themselves once, and a million rows of them take little."""
    coded = pa.dictionary(pa.int32(), pa.string())
    labels = {field.name for field in fields if field.type == _LABEL} - {"cell_id"}
    return pa.schema([field.with_type(coded) if field.name in labels else field for field in fields])


def _measured(column: Column) -> pa.Field:
    return _field(
        column.name,
        ARROW_TYPES[column.kind],
        column.description,
        column.unit,
        **dict(column.metadata),
    )


_CELL_ID = _field("cell_id", pa.string(), "hash of everything that decides the cell's numbers")

_NETWORK = (
    _field("initializer", _LABEL, "canonical label of the initializer"),
    _field("activation", _LABEL, "canonical label of the activation"),
    _field("depth", pa.int32(), "hidden layers of the network", "layers"),
    _field("width", _LABEL, "as in the config: constant, or a taper first-last", "units"),
    _field("width_first", pa.int32(), "first number of width: units of hidden layer 1", "units"),
    _field(
        "width_last",
        pa.int32(),
        "last number of width: units of the last hidden layer, where there are two and more",
        "units",
    ),
)
_SEED = _field("seed", pa.int64(), "of all the cell's random streams")

_PROBE = (
    _field("batch", pa.int32(), "examples pushed through", "examples"),
    _field("input", _LABEL, "what the examples are"),
    _field("dtype", _LABEL, "of the network"),
    _field("outputs", pa.int32(), "width of the linear readout", "units"),
    _field("bias_std", pa.float64(), "standard deviation of the biases", "1"),
    _field(
        "input_width",
        pa.int32(),
        "entries of an example, as asked for; 0: as many as hidden layer 1 has units, or as the input has",
        "units",
    ),
)

_TASK = (
    _field("data", _LABEL, "what is trained on"),
    _field("steps", pa.int32(), "updates that the run is to make", "steps"),
    _field("batch", pa.int32(), "examples of a mini-batch", "examples"),
    _field("dtype", _LABEL, "of the network"),
    _field("bias_std", pa.float64(), "standard deviation of the biases at the start", "1"),
    _field("outputs", pa.int32(), "classes of the data", "units"),
)
_RUN = (*_NETWORK, _field("learning_rate", pa.float64(), "of plain gradient descent", "1"), _SEED, *_TASK)

CELL_KEYS = ("initializer", "activation", "depth", "width", "seed")
PROBE_KEYS = tuple(field.name for field in _PROBE)
NETWORK_KEYS = (*(field.name for field in _NETWORK), *PROBE_KEYS)
"""What a network is under its probe: a cell, but for the seed. A width's numbers follow from it."""
SIZE_ORDER = ("depth", "width_first", "width_last", "width")
"""The order of networks' sizes, by the numbers: as texts 1024 would come before 64."""
NETWORK_ORDER = ("initializer", "activation", *SIZE_ORDER, *PROBE_KEYS)
"""``NETWORK_KEYS`` in this order."""
SORT_KEYS = ("activation", "initializer", *SIZE_ORDER, "seed", *PROBE_KEYS, "cell_id")
"""The order of the rows of every table of cells; ``layer`` follows in the layers table."""
TASK_KEYS = tuple(field.name for field in _TASK)
TRAINED_KEYS = ("initializer", "activation", "depth", "width", "learning_rate", "seed")
RUN_KEYS = (*TRAINED_KEYS, *TASK_KEYS)
"""What a run is."""
RUN_SORT_KEYS = (
    "data",
    "activation",
    "initializer",
    *SIZE_ORDER,
    "learning_rate",
    "seed",
    *TASK_KEYS[1:],
    "cell_id",
)
"""The order of the rows of every table of runs; ``step`` and ``layer`` follow in the training table."""

LAYERS = pa.schema(
    [
        _CELL_ID,
        *_NETWORK,
        _SEED,
        _field("layer", pa.int32(), "0 is the input, 1 … depth the hidden layers"),
        _field("fan_in", pa.int32(), "units that feed the layer; null for the input", "units"),
        _field("fan_out", pa.int32(), "units of the layer", "units"),
        *_PROBE,
        *(_measured(column) for column in COLUMNS),
    ]
)

PLAN = _coded(
    [
        _CELL_ID,
        *_NETWORK,
        _SEED,
        *_PROBE,
        _field("histograms", pa.bool_(), "whether histograms are stored"),
        _field("flops", pa.float64(), "of the cell's matrix products", "floating-point operations"),
        _field("memory", pa.float64(), "largest working set of the cell, estimated", "bytes"),
        _field("block", pa.int32(), "cells of a block are computed by one task"),
        _field("shard", pa.int32(), "shards are swept by one job each, 1 …"),
    ]
)

TRAINING = pa.schema(
    [
        _CELL_ID,
        *_RUN,
        _field("step", pa.int32(), "updates so far; a run that diverged ends at the step where it did"),
        _field("layer", pa.int32(), "1 … depth the hidden layers, depth + 1 the readout"),
        _field("fan_in", pa.int32(), "units that feed the layer", "units"),
        _field("fan_out", pa.int32(), "units of the layer", "units"),
        *(_measured(column) for column in training.COLUMNS),
    ]
)

TRAINING_PLAN = _coded(
    [
        _CELL_ID,
        *_RUN,
        _field("flops", pa.float64(), "of the run's matrix products", "floating-point operations"),
        _field("memory", pa.float64(), "largest working set of the run, estimated", "bytes"),
        _field("block", pa.int32(), "runs of a block are computed by one task"),
        _field("shard", pa.int32(), "always 1"),
    ]
)

_COMPUTED = (
    _field("seconds", pa.float64(), "its share of computing time", "s"),
    _field("kernel_version", _LABEL, "version of the numerics"),
    _field("packages", _LABEL, "versions of the packages that computed it"),
)

TRAINING_RUNS = pa.schema(
    [
        _CELL_ID,
        *_RUN,
        _field("status", _LABEL, "ok, or failed"),
        _field("error", pa.string(), "what a failed run raised"),
        _field("verdict", _LABEL, "first that fits of: diverges, stays symmetric, trains, stalls"),
        _field(
            "diverged_at",
            pa.int32(),
            "the step at which it was seen that the loss is not finite; null where it was not seen",
        ),
        _field("initial_loss", pa.float64(), "loss before the first update", "nats"),
        _field("final_loss", pa.float64(), "loss after the last update; null where the run diverged", "nats"),
        _field("initial_accuracy", pa.float64(), "accuracy before the first update", "1"),
        _field("final_accuracy", pa.float64(), "accuracy after the last update, or where it diverged", "1"),
        *_COMPUTED,
    ]
)

CELLS = pa.schema(
    [
        _CELL_ID,
        *_NETWORK,
        _SEED,
        *_PROBE,
        _field("status", _LABEL, "ok, or failed"),
        _field("error", pa.string(), "what a failed cell raised"),
        _field("verdict", _LABEL, "the worse of the two that follow"),
        _field(
            "activation_verdict",
            _LABEL,
            "first that fits of: broken, dead, symmetric, vanishing, exploding, saturated, healthy",
        ),
        _field("gradient_verdict", _LABEL, "likewise, of the gradients"),
        _field("h_std_ratio", pa.float64(), "h_std of the last layer ÷ of layer 1", "1"),
        _field("g_std_ratio", pa.float64(), "g_std of layer 1 ÷ of the last layer", "1"),
        _field("saturated_fraction", pa.float64(), "largest saturated_fraction of a layer", "1"),
        _field("dead_fraction", pa.float64(), "largest share of dead units in a layer", "1"),
        _field("nonfinite_fraction", pa.float64(), "largest nonfinite_fraction of a layer", "1"),
        _field("y_std", pa.float64(), "standard deviation of the outputs y, over batch and outputs", "1"),
        *_COMPUTED,
    ]
)

RATIOS = ("h_std_ratio", "g_std_ratio", "saturated_fraction", "dead_fraction", "nonfinite_fraction", "y_std")


_UNITS = {"xi_q": "layers", "xi_c": "layers", "xi_grad": "layers"}
_PREDICTED = (
    ("sigma_w", "√(fan_in · Var W); null for the input"),
    ("sigma_b", "standard deviation of the biases; null for the input"),
    (
        "q",
        "mean square of the pre-activations, σ_w² E φ² + σ_b²; null for the input, inf or 0 beyond float64",
    ),
    ("z_std", "predicted z_std: √q, less where the weights have a mean"),
    ("h_mean", "predicted h_mean"),
    ("h_std", "predicted h_std"),
    (
        "h_second_moment",
        "predicted h_second_moment; inf or 0 beyond float64, also where h_std is not",
    ),
    ("cosine_mean", "predicted cosine_mean; null where examples differ in size or are pairs"),
    ("pair_correlation", "predicted pair_correlation; null unless the input is pairs"),
    (
        "g_std_ratio",
        (
            "predicted g_std of the layer ÷ g_std of the last layer; null for the input. The root of a mean"
            " square over all examples there could be: where weights have a mean and the activation saturates"
            " it comes from a few of these, which most batches do not hold, and the median is far below it"
        ),
    ),
    (
        "y_std",
        "predicted y_std, of infinitely many outputs, in the row of the last layer; null elsewhere",
    ),
    ("h_std_spread", "standard deviation of log h_std over seeds that the width and batch let expect"),
    ("h_std_shift", "expected log(h_std ÷ predicted) at this width"),
    ("g_std_ratio_spread", "likewise, of log g_std_ratio"),
    ("g_std_ratio_shift", "likewise, of log g_std_ratio"),
    ("q_star", "limit of q with depth: 0, finite, or inf where it diverges; null where it has none"),
    ("chi_1", "χ₁ = σ_w² E φ'² at q_star: growth of a gradient's square by a layer"),
    ("c_star", "limit of the correlation of two inputs; null unless q_star is finite and not 0"),
    ("xi_q", "depth scale of q: 1 / −ln of the map's slope at q_star; null where there is none"),
    ("xi_c", "depth scale of the correlation, likewise at c_star"),
    ("xi_grad", "depth scale of gradients, 1 / −ln χ₁; negative where they grow, inf where χ₁ = 1"),
)

THEORY = pa.schema(
    [
        *_NETWORK,
        *_PROBE,
        _field("layer", pa.int32(), "0 is the input, 1 … depth the hidden layers"),
        *(_field(name, pa.float64(), meaning, _UNITS.get(name, "1")) for name, meaning in _PREDICTED),
    ]
)

COMPARED = {"h_std": "h_std", "g_std_ratio": "g_std of the layer ÷ of the last layer"}
"""What the summary compares with theory, layer by layer."""


def _comparison_fields(name: str, what: str) -> Iterable[pa.Field]:
    floats = pa.list_(pa.field("element", pa.float64()))
    yield _field(
        f"{name}_to_theory",
        floats,
        f"{what}, measured ÷ predicted, geometric mean over seeds: layers 1 … depth; null without theory",
        "1",
    )
    yield _field(
        f"{name}_z",
        floats,
        f"log of {name}_to_theory, less the shift, over the standard error that the spread gives it",
        "1",
    )


def _ratio_fields(name: str) -> Iterable[pa.Field]:
    source = CELLS.field(name).metadata[b"description"].decode()
    yield _field(f"{name}_mean", pa.float64(), f"mean over seeds of: {source}", "1")
    yield _field(
        f"{name}_se",
        pa.float64(),
        "its standard error; null with one seed, or where its square is beyond float64",
        "1",
    )
    yield _field(f"{name}_low", pa.float64(), "lower end of its 95 % confidence interval", "1")
    yield _field(f"{name}_high", pa.float64(), "upper end of its 95 % confidence interval", "1")


SUMMARY = pa.schema(
    [
        *_NETWORK,
        *_PROBE,
        _field("seeds", pa.int32(), "cells that finished", "cells"),
        _field("failed", pa.int32(), "cells that failed", "cells"),
        _field("verdict", _LABEL, "the most frequent verdict of the seeds"),
        _field("agreeing", pa.int32(), "seeds with this verdict", "cells"),
        _field("activation_verdict", _LABEL, "the most frequent one of the activations"),
        _field("gradient_verdict", _LABEL, "the most frequent one of the gradients"),
        *(field for name in RATIOS for field in _ratio_fields(name)),
        _field("y_std_predicted", pa.float64(), "y_std by theory; null without theory", "1"),
        *(field for name, what in COMPARED.items() for field in _comparison_fields(name, what)),
        _field("xi_c_measured", pa.float64(), "depth scale at which pair_correlation nears c_star", "layers"),
        _field("xi_c", pa.float64(), "the same by theory", "layers"),
    ]
)

_DRIFT = (
    _field(
        "drift",
        pa.float64(),
        "by how many powers of ten a signal changes at worst, the larger of |log10 h_std_ratio| and"
        " |log10 g_std_ratio|: mean over networks, then seeds; null, which is worse than any number, where"
        " a finished cell has none or none finished",
        "1",
    ),
    _field("drift_low", pa.float64(), "lower end of its 95 % confidence interval; null with one seed", "1"),
    _field("drift_high", pa.float64(), "upper end of its 95 % confidence interval; null with one seed", "1"),
)

ANSWERS = pa.schema(
    [
        *(field for field in (*_NETWORK, *_PROBE) if field.name != "initializer"),
        _field(
            "best",
            _LABEL,
            "the initializer that is healthy, or at least neither broken, symmetric nor dead, and of these"
            " has the smallest drift",
        ),
        _field("verdict", _LABEL, "the most frequent verdict of its seeds; null where all cells failed"),
        _field("agreeing", pa.int32(), "seeds with this verdict", "cells"),
        _field("seeds", pa.int32(), "its cells that finished", "cells"),
        *_DRIFT,
        _field(
            "tied",
            pa.list_(pa.field("element", pa.string())),
            "the other initializers that cannot be told from the best: of the same health, and 0 is in the"
            " 95 % confidence interval of the mean difference of drift, seed by seed; where they share fewer"
            " than two seeds, of the same health is enough",
        ),
        _field("healthy", pa.int32(), "initializers with the verdict healthy", "initializers"),
        _field("initializers", pa.int32(), "initializers that the network was measured with", "initializers"),
    ]
)

RANKING = pa.schema(
    [
        _field("activation", _LABEL, "canonical label of the activation"),
        _field(
            "rank",
            pa.int32(),
            "1 for the best and all that cannot be told from it, likewise among those of any health; else"
            " 1 + how many are shown to be better: more networks healthy, of equals more alive, of equals"
            " less drift, where the 95 % confidence interval of the mean difference, seed by seed over at"
            " least two seeds, leaves out 0; null where it cannot be compared",
        ),
        _field(
            "tied", pa.bool_(), "whether the rank is 1, and another has it too: they cannot be told apart"
        ),
        _field("initializer", _LABEL, "canonical label of the initializer"),
        _field(
            "networks",
            pa.int32(),
            "networks that it is compared in: those that all ranked initializers have",
            "networks",
        ),
        _field("healthy", pa.int32(), "of these, networks with the verdict healthy", "networks"),
        _field("alive", pa.int32(), "of these, networks neither broken, symmetric nor dead", "networks"),
        *_DRIFT,
        _field("seeds", pa.int32(), "seeds that finished all of these networks; drift is over them", "seeds"),
        _field("left_out", pa.int32(), "its networks that some ranked initializer lacks", "networks"),
    ]
)

CLAIMS = pa.schema(
    [
        _field("id", pa.string(), "name of the claim"),
        _field("topic", pa.string(), "what it is about"),
        _field("statement", pa.string(), "what a note says, in our words"),
        _field("note", pa.string(), "file of the note, or the paper"),
        _field("measures", pa.string(), "what the value is"),
        _field("threshold", pa.string(), "where the value must be, in words"),
        _field("threshold_low", pa.float64(), "least value with which the claim holds", "as the value"),
        _field("threshold_high", pa.float64(), "largest value with which the claim holds", "as the value"),
        _field("value", pa.float64(), "mean over seeds; geometric where logarithmic", "as measures says"),
        _field("value_low", pa.float64(), "lower end of its 95 % confidence interval", "as the value"),
        _field("value_high", pa.float64(), "upper end of its 95 % confidence interval", "as the value"),
        _field(
            "values",
            pa.list_(pa.field("element", pa.float64())),
            "the value of each seed, in the order of the seeds",
            "as the value",
        ),
        _field("seeds", pa.int32(), "values that are defined", "seeds"),
        _field("logarithmic", pa.bool_(), "whether the value goes over orders of magnitude"),
        _field("verdict", pa.string(), "holds, does not hold, undecided (more seeds tell), or not tested"),
        _field("missing", pa.string(), "networks that it needs and that the results lack"),
        _field("why", pa.string(), "what is behind it"),
        _field("query", pa.string(), "SQL over these tables that gives the value of each seed"),
    ]
)

_TABLES = {
    "layers/*.parquet": ("a row for each layer of each cell", LAYERS),
    "cells.parquet": ("a row for each cell", CELLS),
    "theory.parquet": (
        "what theory predicts, a row for each layer of each network with i.i.d. weights",
        THEORY,
    ),
    "summary.parquet": ("a row for each network, over its seeds", SUMMARY),
    "tables/answers.parquet": ("the best initializer of each network, with those tied with it", ANSWERS),
    "tables/ranking.parquet": ("the initializers of each activation in order, over its networks", RANKING),
    "training.parquet": ("a row for each layer at each recorded step of each training run", TRAINING),
    "training_runs.parquet": ("a row for each training run", TRAINING_RUNS),
    "claims.parquet": ("a row for each claim of the notes", CLAIMS),
    "plan.parquet": ("the cells to compute", PLAN),
    "training/plan.parquet": ("the training runs to compute", TRAINING_PLAN),
}


VIEWS = {
    name.removesuffix("/*.parquet").removesuffix(".parquet").removeprefix("tables/"): table
    for name, table in _TABLES.items()
    if "plan" not in name
}
"""What can be queried: by its name, what a row is, and the schema."""

_INTRODUCTION = f"""# What is in this folder

Everything but this page is made by a run and not kept in git. Tables are Parquet; each column carries
its description and unit in the file too. What is not defined is null. The rows of `layers` and `cells`
are sorted by {", ".join(SORT_KEYS)}, layer; those of `training` and `training_runs` by
{", ".join(RUN_SORT_KEYS)}, step, layer.

Besides: `config.yaml`, the checked config; `parts/`, the store of finished cells; `shards/`, what each
sweep came to; `training/`, the same of the training runs; `functions.json`, what the figures show of your
own functions (their phase planes, σ_w, σ_b and ξ_c); `figures/` and `report.html`, for people; and
`tables/`: summary, answers, ranking, theory (measured against it), notes (theirs beside ours) and claims.
Of these, Parquet and CSV have every column and digit (in CSV null is an empty field, a number that is not
finite inf, -inf or nan, a list JSON, and a text that a spreadsheet would compute, or that begins with an
apostrophe, has an apostrophe before it); Markdown and LaTeX have what people read. The LaTeX is for pdflatex
with booktabs, longtable and array, and for lines of 17 cm (A4 with margins of 2 cm).

The metadata of a table say which plan it was made of: `winit.plan` is the same in all tables of one plan of
cells, `winit.training_plan` in those of one plan of training runs. Plans, `config.yaml`, `functions.json`,
theory and the tables of cells and runs carry a digest of all their bytes.
"""


def page() -> str:
    """``results/README.md``: every table and column, as Markdown."""
    lines = [_INTRODUCTION]
    for name, (what, schema) in _TABLES.items():
        lines += [f"## {name}: {what}", "", "| column | type | unit | meaning |", "|---|---|---|---|"]
        lines += [_line(field) for field in schema]
        lines.append("")
    return "\n".join(lines)


def explained(field: pa.Field) -> tuple[str, str, str, str]:
    """Name, type, unit and meaning of a column, in words."""
    metadata = {key.decode(): value.decode() for key, value in field.metadata.items()}
    type_ = field.type
    shown = "string" if pa.types.is_dictionary(type_) else str(type_).replace("element: ", "")
    meaning = metadata["description"]
    if "slots" in metadata:
        meaning += f". Slots: {metadata['slots']}"
    return field.name, shown, metadata.get("unit", ""), meaning


def _line(field: pa.Field) -> str:
    name, type_, unit, meaning = explained(field)
    escaped = meaning.replace("|", "\\|")
    return f"| {name} | {type_} | {unit} | {escaped} |"


if __name__ == "__main__":
    sys.stdout.write(page())
