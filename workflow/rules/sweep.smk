# config → plan → sweep → collect, and plan → train: from the grids to the dataset that people query.


scattergather:
    shards=1,


localrules:
    canonical_config,


# What is damaged or of another config than this one, as after a `winit plan --write` by hand, is made anew. A dry run
# touches nothing, nor does a run that will be refused, since another one is at work.
REMAKE = Results(Path(RESULTS)).remake
if (
    workflow.is_main_process
    and not workflow.output_settings.dryrun
    and not held(Results(Path(RESULTS)).lock("run"))
):
    FOUND = out_of_place(
        SETTINGS, Results(Path(RESULTS)), len(gather.shards("{scatteritem}"))
    )
    for problem in FOUND:
        print(f"winit: {problem}; it is made anew", file=sys.stderr)
    mark(REMAKE, FOUND)
# Newer than what is there where that is to be made anew.
NEWER = [str(REMAKE)] if REMAKE.exists() else []


def cores(wildcards):
    """All there are on this machine: Snakemake scales it down. As a job of a batch system (``--executor
    slurm``) what jobs have by the config; a profile's ``set-threads`` comes before it.
    """
    return 1_000_000 if workflow.local_exec else SETTINGS.cluster.batch.workers


rule canonical_config:
    """The checked config, every default filled in, that all further steps read. Written here and not by a command:
    a config may be longer than what can stand on a command line."""
    input:
        NEWER,
    output:
        f"{RESULTS}/config.yaml",
    params:
        # Its first line has a digest of all of it.
        head=canonical_text(SETTINGS).partition("\n")[0],
    run:
        write_config(SETTINGS, Path(output[0]))


rule plan:
    input:
        NEWER,
        config=f"{RESULTS}/config.yaml",
    output:
        cells=f"{RESULTS}/plan.parquet",
        runs=f"{RESULTS}/training/plan.parquet",
    threads: cores  # as the sweep: for so many it says how long, and whether their memory will do
    params:
        shards=len(gather.shards("{scatteritem}")),
        kernel=(KERNEL_VERSION, TRAINING_VERSION),
        measured=[kind.measured for kind in KINDS.values()],
        sources=SOURCES,
    shell:
        "winit plan --config {input.config:q} --shards {params.shards} --threads {threads} --write"


rule sweep:
    """The cells of a shard into the store. The manifest is all that is declared: Snakemake deletes
    declared outputs before a job starts, and the store must outlive every job."""
    input:
        config=f"{RESULTS}/config.yaml",
        plan=f"{RESULTS}/plan.parquet",
    output:
        f"{RESULTS}/shards/{{scatteritem}}.json",
    threads: cores
    shell:
        "winit sweep --config {input.config:q} --shard {wildcards.scatteritem} --threads {threads}"


rule train:
    """The second sweep: networks that are trained. Its store, too, outlives every job."""
    input:
        config=f"{RESULTS}/config.yaml",
        plan=f"{RESULTS}/training/plan.parquet",
    output:
        f"{RESULTS}/training/shards/1-of-1.json",
        training=f"{RESULTS}/training.parquet",
        runs=f"{RESULTS}/training_runs.parquet",
    threads: cores
    shell:
        "winit train --config {input.config:q} --threads {threads}"


rule collect:
    input:
        config=f"{RESULTS}/config.yaml",
        plan=f"{RESULTS}/plan.parquet",
        shards=gather.shards(f"{RESULTS}/shards/{{scatteritem}}.json"),
    output:
        layers=directory(f"{RESULTS}/layers"),
        cells=f"{RESULTS}/cells.parquet",
    shell:
        "winit collect --config {input.config:q}"
