# Run the first batches of plain data-free distillation and cache them.
#
# REQUIRED INPUTS:
#   results/teacher/{dataset}/{trigger}/{teacher}-t{teacher_seed}/teacher.safetensors
#   the source's pool: patches or the data set
#   the normalisation as it was found, where params.yaml gives none
# OUTPUTS:
#   results/surrogate/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/cache.safetensors
#   results/surrogate/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/warm.safetensors
#   results/surrogate/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/history.jsonl


rule surrogate:
    """Cache surrogate batches; leave the warm state that distillation goes on from."""
    input:
        teacher="results/teacher/{dataset}/{trigger}/{teacher}-t{teacher_seed}/teacher.safetensors",
        pool=pool_of,
        statistics=statistics_of,
    output:
        cache="results/surrogate/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/cache.safetensors",
        warm="results/surrogate/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/warm.safetensors",
        history="results/surrogate/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/history.jsonl",
    log:
        "logs/surrogate/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}.log",
    benchmark:
        "benchmarks/surrogate/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}.tsv"
    threads: NUMERICS.threads
    resources:
        gpu=int(NUMERICS.device != "cpu"),
        mem_mb=memory_of("surrogate"),
        runtime=120,
    params:
        config=config_of("surrogate"),
        code=code_of("surrogate"),
    shell:
        """
        exec abd surrogate --config {params.config:q} --code {params.code:q} \
            --teacher {input.teacher:q} \
            --pool {input.pool:q} \
            --statistics {input.statistics:q} \
            --cache {output.cache:q} \
            --warm {output.warm:q} \
            --history {output.history:q} \
            >{log:q} 2>&1
        """
