# plan → theory; dataset and theory → summary, claims and tables → figures → report.


def figure_labels(wildcards):
    """What the report of Snakemake (``snakemake --report``) lists figures by."""
    return {
        "figure": wildcards.chart.replace("_", " "),
        "of": wildcards.get("network", "all networks"),
    }


rule theory:
    """What theory predicts for the planned networks."""
    input:
        config=f"{RESULTS}/config.yaml",
        plan=f"{RESULTS}/plan.parquet",
        runs=f"{RESULTS}/training/plan.parquet",
    output:
        theory=f"{RESULTS}/theory.parquet",
        functions=f"{RESULTS}/functions.json",
    shell:
        "winit theory --config {input.config:q}"


rule summarize:
    input:
        layers=f"{RESULTS}/layers",
        cells=f"{RESULTS}/cells.parquet",
        theory=f"{RESULTS}/theory.parquet",
    output:
        summary=f"{RESULTS}/summary.parquet",
        tables=expand(
            f"{RESULTS}/tables/{{name}}.{{format}}",
            # All of them are of cells; a config that trains networks alone has none.
            name=["summary", "answers", "ranking", "theory", "notes"]
            * bool(SETTINGS.grids),
            format=["parquet", "csv", "md", "tex"],
        ),
    shell:
        "winit summarize --results {RESULTS:q}"


rule claims:
    """What became of each statement of the notes."""
    input:
        layers=f"{RESULTS}/layers",
        cells=f"{RESULTS}/cells.parquet",
        training=f"{RESULTS}/training.parquet",
        runs=f"{RESULTS}/training_runs.parquet",
    output:
        claims=f"{RESULTS}/claims.parquet",
        tables=multiext(f"{RESULTS}/tables/claims.", "parquet", "csv", "md", "tex"),
    shell:
        "winit claims --results {RESULTS:q}"


rule plot:
    input:
        layers=f"{RESULTS}/layers",
        theory=f"{RESULTS}/theory.parquet",
        functions=f"{RESULTS}/functions.json",
        summary=f"{RESULTS}/summary.parquet",
        training=f"{RESULTS}/training.parquet",
        runs=f"{RESULTS}/training_runs.parquet",
        claims=f"{RESULTS}/claims.parquet",
    output:
        report(
            directory(f"{RESULTS}/figures"),
            # The second is of figures of all networks.
            patterns=["{chart,[a-z_]+}-{network}.svg", "{chart,[a-z_]+}.svg"],
            caption="../report/figures.rst",
            category="Figures",
            labels=figure_labels,
        ),
    shell:
        "winit plot --results {RESULTS:q}"


rule report:
    input:
        config=f"{RESULTS}/config.yaml",
        layers=f"{RESULTS}/layers",
        theory=f"{RESULTS}/theory.parquet",
        functions=f"{RESULTS}/functions.json",
        summary=f"{RESULTS}/summary.parquet",
        training=f"{RESULTS}/training.parquet",
        runs=f"{RESULTS}/training_runs.parquet",
        claims=f"{RESULTS}/claims.parquet",
    output:
        f"{RESULTS}/report.html",
    shell:
        "winit report --results {RESULTS:q}"


rule status:
    """The last step: it fails, and names them, where cells failed."""
    input:
        config=f"{RESULTS}/config.yaml",
        cells=f"{RESULTS}/cells.parquet",
        tables=rules.summarize.output.tables,
        claims=rules.claims.output.tables,
        figures=f"{RESULTS}/figures",
        report=f"{RESULTS}/report.html",
    output:
        f"{RESULTS}/status.txt",
    shell:
        "winit status --config {input.config:q} --output {output:q}"
