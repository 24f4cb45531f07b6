# plan → theory; dataset and theory → summary and tables → figures → report.


rule theory:
    """What theory predicts for the planned networks."""
    input:
        config=f"{RESULTS}/config.yaml",
        plan=f"{RESULTS}/plan.parquet",
    output:
        f"{RESULTS}/theory.parquet",
    shell:
        "winit theory --config {input.config:q}"


rule summarize:
    input:
        layers=f"{RESULTS}/layers",
        cells=f"{RESULTS}/cells.parquet",
        theory=f"{RESULTS}/theory.parquet",
    output:
        summary=f"{RESULTS}/summary.parquet",
        tables=multiext(
            f"{RESULTS}/tables/",
            "summary.csv",
            "summary.md",
            "theory.csv",
            "theory.md",
            "notes.md",
        ),
    shell:
        "winit summarize --results {RESULTS:q}"


rule plot:
    input:
        layers=f"{RESULTS}/layers",
        theory=f"{RESULTS}/theory.parquet",
        summary=f"{RESULTS}/summary.parquet",
    output:
        directory(f"{RESULTS}/figures"),
    shell:
        "winit plot --results {RESULTS:q}"


rule report:
    input:
        config=f"{RESULTS}/config.yaml",
        layers=f"{RESULTS}/layers",
        theory=f"{RESULTS}/theory.parquet",
        summary=f"{RESULTS}/summary.parquet",
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
        figures=f"{RESULTS}/figures",
        report=f"{RESULTS}/report.html",
    output:
        f"{RESULTS}/status.txt",
    shell:
        "winit status --config {input.config:q} | tee {output:q}"
