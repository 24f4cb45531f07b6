"""One network, or one activation, now."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from winit.cli.group import Command
from winit.cli.options import (
    PathType,
    Real,
    Whole,
    activation_names,
    completing,
    initializer_names,
    input_names,
)

if TYPE_CHECKING:
    import pyarrow as pa
    from rich.table import Table


@click.command(cls=Command, example="winit simulate he_normal relu --depth 50 --width 512")
@click.argument("initializer", shell_complete=completing(initializer_names))
@click.argument("activation", shell_complete=completing(activation_names))
@click.option(
    "--depth",
    type=Whole(),
    help="Hidden layers.  [default: 10, or those that --width names, if more than two]",
)
@click.option(
    "--width",
    default="500",
    show_default=True,
    help="Units; a taper, 1024-64; or each layer, 784-256-128.",
)
@click.option("--seed", type=Whole(), default=0, show_default=True)
@click.option("--batch", type=Whole(), default=1000, show_default=True, help="Examples.")
@click.option(
    "--input",
    "input_",
    default="normal",
    show_default=True,
    shell_complete=completing(input_names),
    help="What the examples are.",
)
@click.option(
    "--input-width", type=Whole(), help="Entries of an example.  [default: as the first hidden layer]"
)
@click.option("--outputs", type=Whole(), default=10, show_default=True, help="Units of the readout.")
@click.option("--dtype", type=click.Choice(["float32", "float64"]), default="float32", show_default=True)
@click.option(
    "--bias-std", type=Real(), default=0.0, show_default=True, help="Standard deviation of the biases."
)
@click.option(
    "--plot",
    type=PathType(dir_okay=False),
    metavar="FILE",
    help="Draw the figures too: an .svg, .png, .pdf or .html file.",
)
def simulate(
    initializer: str,
    activation: str,
    depth: int | None,
    width: str,
    seed: int,
    input_: str,
    plot: Path | None,
    **probe: Any,
) -> None:
    """Compute one network, now, and show what each layer did.

    The bars are logarithmic; above them stands from which power of ten to which. Theory's std of h stands
    beside the measured one where the weights are i.i.d.; below the table stands that of y, the output. The
    last line is the verdict, with the factors by which the std of h (from layer 1 to the last) and of g (from
    the last to layer 1) change.
    """
    from rich.text import Text

    from winit import api
    from winit.cli.screen import Screen, reader_may_leave, say
    from winit.findings.predictions import NoTheoryError
    from winit.findings.single import theory_of_std, verdict_of
    from winit.sweep.asked import asked

    probe["input"] = input_
    if plot is not None:
        _check_ending(plot, "--plot")
    probe["histograms"] = plot is not None
    rows = api.simulate(initializer, activation, depth, width, seed, **probe)
    with asked(initializer, activation, depth, width, probe) as network:
        plan = api.plan_of("simulate", network, seed)
    try:
        predicted = theory_of_std(plan)
    except NoTheoryError as error:  # what was measured is shown all the same
        predicted = None
        click.echo(str(error), err=True)
    found = verdict_of(rows)
    screen = Screen()
    with reader_may_leave():
        h_predicted, y_predicted = predicted or (None, None)
        screen.print(_table(rows, h_predicted, ascii_only=screen.options.ascii_only))
        screen.print(f"std of y {_shown(rows['y_std'][-1].as_py())}, theory {_shown(y_predicted)}")
        screen.print(
            Text.assemble(
                (found.verdict, "bold"),
                f": activations {found.activation_verdict} (×{_shown(found.h_std_ratio)}),"
                f" gradients {found.gradient_verdict} (×{_shown(found.g_std_ratio)})",
            )
        )
    if plot is not None:
        from winit.findings.portrait import save_portrait

        save_portrait(plot, rows, plan)
        say(f"{plot}")


def _check_ending(path: Path, option: str) -> None:
    """Before anything is computed."""
    from winit.findings.pictures import ENDINGS

    if path.suffix not in ENDINGS:
        raise click.BadParameter(
            f"{path} ends in none of {', '.join(ENDINGS)}, which is how a figure is chosen",
            param_hint=option,
        )


def _shown(value: float | None) -> str:
    """Three digits; null is a dash."""
    return "–" if value is None else f"{value:.3g}"


def _table(rows: "pa.Table", predicted: list[float | None] | None, *, ascii_only: bool) -> "Table":
    from rich.text import Text

    from winit.cli.bars import bar, decades
    from winit.cli.screen import table_of

    names = ("h_std", "g_std", "saturated_fraction", "cosine_mean")
    columns = {name: rows[name].to_pylist() for name in names}
    h_scale = decades([*columns["h_std"], *(predicted or [])])
    g_scale = decades(columns["g_std"])
    h_bars, g_bars = (f"1e{low} … 1e{high}" for low, high in (h_scale, g_scale))
    header = ["layer", "std of h", h_bars, "theory", "std of g", g_bars, "saturated", "cosine"]
    table = table_of(header, [name not in {h_bars, g_bars} for name in header])
    for layer, (h, g, saturated, cosine) in enumerate(zip(*columns.values(), strict=True)):
        table.add_row(
            str(layer),
            _shown(h),
            Text(bar(h, h_scale, ascii_only=ascii_only), "cyan"),
            _shown(predicted[layer] if predicted else None),
            _shown(g),
            Text(bar(g, g_scale, ascii_only=ascii_only), "magenta"),
            _shown(saturated),
            _shown(cosine),
        )
    return table


@click.command(cls=Command, example="winit phase gelu --output phase-gelu.svg")
@click.argument("activation", shell_complete=completing(activation_names))
@click.option(
    "--output",
    type=PathType(dir_okay=False),
    help="An .svg, .png, .pdf or .html file.  [default: phase-ACTIVATION.svg]",
)
def phase(activation: str, output: Path | None) -> None:
    """Draw the phase diagram of an activation.

    It shows the critical line and the depth scales.
    """
    from winit.api import phase_diagram
    from winit.cli.screen import say
    from winit.findings.names import file_name
    from winit.findings.pictures import save_picture

    output = output or Path(f"phase-{file_name(activation)}.svg")
    _check_ending(output, "--output")
    chart = phase_diagram(activation)
    save_picture(output, f"Phases of {activation}", chart.to_dict())
    say(f"{output}")


COMMANDS = (simulate, phase)
