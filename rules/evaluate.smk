# Measure Acc and ASR on the whole test set.
#
# REQUIRED INPUTS:
#   a teacher or a student
#   results/poison/{dataset}/{trigger}/test.npz
#   the normalisation as it was found, where params.yaml gives none
# OUTPUTS:
#   results/evaluate/{dataset}/{trigger}/{teacher}-t{teacher_seed}/teacher/metrics.json
#   results/evaluate/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/{defense}/metrics.json


rule evaluate_teacher:
    """Measure a teacher."""
    input:
        model="results/teacher/{dataset}/{trigger}/{teacher}-t{teacher_seed}/teacher.safetensors",
        test="results/poison/{dataset}/{trigger}/test.npz",
        statistics=statistics_of,
    output:
        metrics="results/evaluate/{dataset}/{trigger}/{teacher}-t{teacher_seed}/teacher/metrics.json",
    log:
        "logs/evaluate/{dataset}/{trigger}/{teacher}-t{teacher_seed}/teacher.log",
    benchmark:
        "benchmarks/evaluate/{dataset}/{trigger}/{teacher}-t{teacher_seed}/teacher.tsv"
    threads: NUMERICS.threads
    resources:
        gpu=int(NUMERICS.device != "cpu"),
        mem_mb=memory_of("evaluate"),
        runtime=30,
    params:
        config=config_of("evaluate"),
        code=code_of("evaluate"),
    shell:
        """
        exec abd evaluate --config {params.config:q} --code {params.code:q} \
            --model {input.model:q} \
            --test {input.test:q} \
            --statistics {input.statistics:q} \
            --metrics {output.metrics:q} \
            >{log:q} 2>&1
        """


rule evaluate:
    """Measure a student."""
    input:
        model=told(lambda w: student_path(**w)),
        test="results/poison/{dataset}/{trigger}/test.npz",
        statistics=statistics_of,
    output:
        metrics="results/evaluate/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/{defense}/metrics.json",
    log:
        "logs/evaluate/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/{defense}.log",
    benchmark:
        "benchmarks/evaluate/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/{defense}.tsv"
    threads: NUMERICS.threads
    resources:
        gpu=int(NUMERICS.device != "cpu"),
        mem_mb=memory_of("evaluate"),
        runtime=30,
    params:
        config=config_of("evaluate"),
        code=code_of("evaluate"),
    shell:
        """
        exec abd evaluate --config {params.config:q} --code {params.code:q} \
            --model {input.model:q} \
            --test {input.test:q} \
            --statistics {input.statistics:q} \
            --metrics {output.metrics:q} \
            >{log:q} 2>&1
        """
