# Read a data set into one file, whatever its source.
#
# REQUIRED INPUTS:
#   the user's own data that params.yaml names by path; else none: the raw data come from
#   a package or a download
# OUTPUTS:
#   results/fetch/{dataset}/dataset.npz
#   results/fetch/{dataset}/statistics.json


rule fetch:
    """Read a data set into one file."""
    input:
        data=own_data_of,
    output:
        dataset="results/fetch/{dataset}/dataset.npz",
        statistics="results/fetch/{dataset}/statistics.json",
    log:
        "logs/fetch/{dataset}.log",
    benchmark:
        "benchmarks/fetch/{dataset}.tsv"
    resources:
        gpu=0,
        mem_mb=memory_of("fetch"),
        runtime=60,
        # No params: where downloads lie shapes no number, and a change re-runs nothing.
        root=lambda w: PLAN.settings[w.dataset].fetch.root,
        download=lambda w: str(PLAN.settings[w.dataset].fetch.download).lower(),
    params:
        config=config_of("fetch"),
        code=code_of("fetch"),
    shell:
        """
        exec abd fetch --config {params.config:q} --code {params.code:q} \
            --root {resources.root:q} --download {resources.download:q} \
            --data {input.data:q} \
            --dataset {output.dataset:q} \
            --statistics {output.statistics:q} \
            >{log:q} 2>&1
        """
