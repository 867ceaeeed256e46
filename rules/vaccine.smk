# Search shuffles of the teacher that expose its backdoor.
#
# REQUIRED INPUTS:
#   results/teacher/{dataset}/{trigger}/{teacher}-t{teacher_seed}/teacher.safetensors
#   results/surrogate/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/cache.safetensors
#   the normalisation as it was found, where params.yaml gives none
# OUTPUTS:
#   results/vaccine/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/vaccine.json
#   results/vaccine/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/permutations.safetensors
#   results/vaccine/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/scores.npz


rule vaccine:
    """Search a shuffling vaccine on the cached batches."""
    input:
        teacher="results/teacher/{dataset}/{trigger}/{teacher}-t{teacher_seed}/teacher.safetensors",
        cache="results/surrogate/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/cache.safetensors",
        statistics=statistics_of,
    output:
        vaccine="results/vaccine/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/vaccine.json",
        permutations="results/vaccine/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/permutations.safetensors",
        scores="results/vaccine/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/scores.npz",
    log:
        "logs/vaccine/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}.log",
    benchmark:
        "benchmarks/vaccine/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}.tsv"
    threads: NUMERICS.threads
    resources:
        gpu=int(NUMERICS.device != "cpu"),
        mem_mb=memory_of("vaccine"),
        runtime=120,
    params:
        config=config_of("vaccine"),
        code=code_of("vaccine"),
    shell:
        """
        exec abd vaccine --config {params.config:q} --code {params.code:q} \
            --teacher {input.teacher:q} \
            --cache {input.cache:q} \
            --statistics {input.statistics:q} \
            --vaccine {output.vaccine:q} \
            --permutations {output.permutations:q} \
            --scores {output.scores:q} \
            >{log:q} 2>&1
        """
