# Read a data set into one file, whatever its source.
#
# REQUIRED INPUTS:
#   none: the raw data come from a package, a folder or a download
# OUTPUTS:
#   results/fetch/{dataset}/dataset.npz


rule fetch:
    """Read a data set into one file."""
    output:
        dataset="results/fetch/{dataset}/dataset.npz",
    log:
        "logs/fetch/{dataset}.log",
    benchmark:
        "benchmarks/fetch/{dataset}.tsv"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        config=config_of("fetch"),
        code=code_of("fetch"),
    shell:
        """
        exec abd fetch --config {params.config:q} --code {params.code:q} \
            --dataset {output.dataset:q} \
            >{log:q} 2>&1
        """
