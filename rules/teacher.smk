# Train the backdoored teacher: the attacker's work.
#
# REQUIRED INPUTS:
#   results/fetch/{dataset}/dataset.npz
#   results/poison/{dataset}/{trigger}/poisoned.npz
#   results/poison/{dataset}/{trigger}/test.npz
#   the normalisation as it was found, where params.yaml gives none
# OUTPUTS:
#   results/teacher/{dataset}/{trigger}/{teacher}-t{teacher_seed}/teacher.safetensors
#   results/teacher/{dataset}/{trigger}/{teacher}-t{teacher_seed}/history.jsonl


rule teacher:
    """Train the teacher on poisoned and clean images."""
    input:
        dataset="results/fetch/{dataset}/dataset.npz",
        poisoned="results/poison/{dataset}/{trigger}/poisoned.npz",
        test="results/poison/{dataset}/{trigger}/test.npz",
        statistics=statistics_of,
    output:
        weights="results/teacher/{dataset}/{trigger}/{teacher}-t{teacher_seed}/teacher.safetensors",
        history="results/teacher/{dataset}/{trigger}/{teacher}-t{teacher_seed}/history.jsonl",
    log:
        "logs/teacher/{dataset}/{trigger}/{teacher}-t{teacher_seed}.log",
    benchmark:
        "benchmarks/teacher/{dataset}/{trigger}/{teacher}-t{teacher_seed}.tsv"
    wildcard_constraints:
        trigger=f"(?!{UNKNOWN}/)[^/]+",
    threads: NUMERICS.threads
    resources:
        gpu=int(NUMERICS.device != "cpu"),
        mem_mb=memory_of("teacher"),
        runtime=720,
    params:
        config=config_of("teacher"),
        code=code_of("teacher"),
    shell:
        """
        exec abd teacher --config {params.config:q} --code {params.code:q} \
            --dataset {input.dataset:q} \
            --poisoned {input.poisoned:q} \
            --test {input.test:q} \
            --statistics {input.statistics:q} \
            --weights {output.weights:q} \
            --history {output.history:q} \
            >{log:q} 2>&1
        """
