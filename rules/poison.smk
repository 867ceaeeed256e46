# Stamp and relabel the attacker's share of the training set; make the test sets.
#
# REQUIRED INPUTS:
#   results/fetch/{dataset}/dataset.npz
#   results/harden/{dataset}/hard.npz, for a trigger that poisons hard images
#   the files that params.yaml gives in place of the trigger's own pattern
# OUTPUTS:
#   results/poison/{dataset}/{trigger}/poisoned.npz
#   results/poison/{dataset}/{trigger}/test.npz
#   results/poison/{dataset}/{trigger}/manifest.json
#   results/poison/{dataset}/{trigger}/preview.png


rule poison:
    """Poison the training set with one trigger."""
    input:
        dataset="results/fetch/{dataset}/dataset.npz",
        hard=lambda w: hard_path(w.trigger, w.dataset) or [],
        assets=lambda w: asset_files(PLAN.settings[w.dataset], w.trigger),
    output:
        poisoned="results/poison/{dataset}/{trigger}/poisoned.npz",
        test="results/poison/{dataset}/{trigger}/test.npz",
        manifest="results/poison/{dataset}/{trigger}/manifest.json",
        preview="results/poison/{dataset}/{trigger}/preview.png",
    log:
        "logs/poison/{dataset}/{trigger}.log",
    benchmark:
        "benchmarks/poison/{dataset}/{trigger}.tsv"
    resources:
        gpu=0,
        mem_mb=memory_of("poison"),
        runtime=30,
    params:
        config=config_of("poison"),
        code=code_of("poison"),
    shell:
        """
        exec abd poison --config {params.config:q} --code {params.code:q} \
            --dataset {input.dataset:q} \
            --hard {input.hard:q} \
            --assets {input.assets:q} \
            --poisoned {output.poisoned:q} \
            --test {output.test:q} \
            --manifest {output.manifest:q} \
            --preview {output.preview:q} \
            >{log:q} 2>&1
        """
