# Cut patches from single photographs, once for all students of a data set.
#
# REQUIRED INPUTS:
#   the photographs that params.yaml names by path; the embedded ones need no file
# OUTPUTS:
#   results/patches/{dataset}/patches.npz


rule patches:
    """Cut the patches that OOD distillation learns from."""
    input:
        photos=lambda w: photo_files(PLAN.settings[w.dataset]),
    output:
        patches="results/patches/{dataset}/patches.npz",
    log:
        "logs/patches/{dataset}.log",
    benchmark:
        "benchmarks/patches/{dataset}.tsv"
    resources:
        gpu=0,
        mem_mb=memory_of("patches"),
        runtime=60,
    params:
        config=config_of("patches"),
        code=code_of("patches"),
    shell:
        """
        exec abd patches --config {params.config:q} --code {params.code:q} \
            --photos {input.photos:q} \
            --patches {output.patches:q} \
            >{log:q} 2>&1
        """
