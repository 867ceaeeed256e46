# Measure how well the vaccine's score tells stamped from clean test images: a diagnostic,
# which nothing that decides reads.
#
# REQUIRED INPUTS:
#   results/teacher/{dataset}/{trigger}/{teacher}-t{teacher_seed}/teacher.safetensors
#   the verdict of the search, and the shuffles that it took
#   results/poison/{dataset}/{trigger}/test.npz
#   the normalisation as it was found, where params.yaml gives none
# OUTPUTS:
#   results/score/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/score.json
#   results/score/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/roc.npz
#   results/score/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/scores.npz


rule score:
    """Score the test images under the vaccine's shuffles."""
    input:
        teacher="results/teacher/{dataset}/{trigger}/{teacher}-t{teacher_seed}/teacher.safetensors",
        permutations="results/vaccine/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/permutations.safetensors",
        vaccine="results/vaccine/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/vaccine.json",
        test="results/poison/{dataset}/{trigger}/test.npz",
        statistics=statistics_of,
    output:
        score="results/score/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/score.json",
        roc="results/score/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/roc.npz",
        scores="results/score/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/scores.npz",
    log:
        "logs/score/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}.log",
    benchmark:
        "benchmarks/score/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}.tsv"
    threads: NUMERICS.threads
    resources:
        gpu=int(NUMERICS.device != "cpu"),
        mem_mb=memory_of("score"),
        runtime=30,
    params:
        config=config_of("score"),
        code=code_of("score"),
    shell:
        """
        exec abd score --config {params.config:q} --code {params.code:q} \
            --teacher {input.teacher:q} \
            --permutations {input.permutations:q} \
            --vaccine {input.vaccine:q} \
            --test {input.test:q} \
            --statistics {input.statistics:q} \
            --score {output.score:q} \
            --roc {output.roc:q} \
            --scores {output.scores:q} \
            >{log:q} 2>&1
        """
