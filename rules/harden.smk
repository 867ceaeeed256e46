# Make hard images of the target class, for the trigger `cl` alone.
#
# REQUIRED INPUTS:
#   results/fetch/{dataset}/dataset.npz
#   the normalisation as it was found, where params.yaml gives none
# OUTPUTS:
#   results/harden/{dataset}/hard.npz
#   results/harden/{dataset}/manifest.json
#   results/harden/{dataset}/preview.png
#   results/harden/{dataset}/history.jsonl


rule harden:
    """Train a robust network and make the images that mislead it."""
    input:
        dataset="results/fetch/{dataset}/dataset.npz",
        statistics=statistics_of,
    output:
        hard="results/harden/{dataset}/hard.npz",
        manifest="results/harden/{dataset}/manifest.json",
        preview="results/harden/{dataset}/preview.png",
        history="results/harden/{dataset}/history.jsonl",
    log:
        "logs/harden/{dataset}.log",
    benchmark:
        "benchmarks/harden/{dataset}.tsv"
    threads: NUMERICS.threads
    resources:
        gpu=int(NUMERICS.device != "cpu"),
        mem_mb=memory_of("harden"),
        runtime=1440,
    params:
        config=config_of("harden"),
        code=code_of("harden"),
    shell:
        """
        exec abd harden --config {params.config:q} --code {params.code:q} \
            --dataset {input.dataset:q} \
            --statistics {input.statistics:q} \
            --hard {output.hard:q} \
            --manifest {output.manifest:q} \
            --preview {output.preview:q} \
            --history {output.history:q} \
            >{log:q} 2>&1
        """
