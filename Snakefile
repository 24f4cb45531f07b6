"""The main job: a grid in; Parquet, tables, figures and a report out. See CONTRIBUTING.md."""


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/sweep.smk"
include: "workflow/rules/findings.smk"


rule all:
    default_target: True
    input:
        f"{RESULTS}/status.txt",
        # Where cells failed the shards are taken away again: asked for here, they are swept anew.
        gather.shards(f"{RESULTS}/shards/{{scatteritem}}.json"),
        f"{RESULTS}/training/shards/1-of-1.json",
