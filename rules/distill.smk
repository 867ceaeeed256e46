# Distil the student, with one of three guards.
#
# REQUIRED INPUTS:
#   plain: teacher, pool, the surrogate stage's warm state
#   first: teacher, pool (a vaccine drawn unseen, from step 0)
#   searched: teacher, pool, warm state, vaccine, and the plain run for where none was found
#   the normalisation as it was found, where params.yaml gives none
# OUTPUTS:
#   results/distill/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/{guard}/lambda.safetensors
#   results/distill/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/{guard}/student.safetensors
#   results/distill/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/{guard}/history.jsonl


rule distill_plain:
    """Distil without a vaccine, going on from the warm state."""
    input:
        teacher="results/teacher/{dataset}/{trigger}/{teacher}-t{teacher_seed}/teacher.safetensors",
        pool=pool_of,
        warm="results/surrogate/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/warm.safetensors",
        monitor=monitor_of,
        statistics=statistics_of,
    output:
        state="results/distill/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/plain/lambda.safetensors",
        student="results/distill/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/plain/student.safetensors",
        history="results/distill/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/plain/history.jsonl",
    log:
        "logs/distill/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/plain.log",
    benchmark:
        "benchmarks/distill/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/plain.tsv"
    threads: NUMERICS.threads
    resources:
        gpu=int(NUMERICS.device != "cpu"),
        mem_mb=memory_of("distill"),
        runtime=1440,
    params:
        config=config_of("distill", guard="plain"),
        code=code_of("distill", guard="plain"),
    shell:
        """
        exec abd distill --config {params.config:q} --code {params.code:q} \
            --teacher {input.teacher:q} \
            --pool {input.pool:q} \
            --warm {input.warm:q} \
            --monitor {input.monitor:q} \
            --statistics {input.statistics:q} \
            --state {output.state:q} \
            --student {output.student:q} \
            --history {output.history:q} \
            >{log:q} 2>&1
        """


rule distill_first:
    """Distil with the first vaccine drawn, from step 0."""
    input:
        teacher="results/teacher/{dataset}/{trigger}/{teacher}-t{teacher_seed}/teacher.safetensors",
        pool=pool_of,
        monitor=monitor_of,
        statistics=statistics_of,
    output:
        state="results/distill/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/first/lambda.safetensors",
        student="results/distill/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/first/student.safetensors",
        history="results/distill/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/first/history.jsonl",
    log:
        "logs/distill/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/first.log",
    benchmark:
        "benchmarks/distill/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/first.tsv"
    threads: NUMERICS.threads
    resources:
        gpu=int(NUMERICS.device != "cpu"),
        mem_mb=memory_of("distill"),
        runtime=1440,
    params:
        config=config_of("distill", guard="first"),
        code=code_of("distill", guard="first"),
    shell:
        """
        exec abd distill --config {params.config:q} --code {params.code:q} \
            --teacher {input.teacher:q} \
            --pool {input.pool:q} \
            --monitor {input.monitor:q} \
            --statistics {input.statistics:q} \
            --state {output.state:q} \
            --student {output.student:q} \
            --history {output.history:q} \
            >{log:q} 2>&1
        """


rule distill_searched:
    """Distil with the vaccine that was found; copy the plain run where none was."""
    input:
        teacher="results/teacher/{dataset}/{trigger}/{teacher}-t{teacher_seed}/teacher.safetensors",
        pool=pool_of,
        warm="results/surrogate/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/warm.safetensors",
        vaccine="results/vaccine/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/vaccine.json",
        permutations="results/vaccine/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/permutations.safetensors",
        plain_state="results/distill/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/plain/lambda.safetensors",
        plain_student="results/distill/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/plain/student.safetensors",
        plain_history="results/distill/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/plain/history.jsonl",
        monitor=monitor_of,
        statistics=statistics_of,
    output:
        state="results/distill/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/searched/lambda.safetensors",
        student="results/distill/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/searched/student.safetensors",
        history="results/distill/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/searched/history.jsonl",
    log:
        "logs/distill/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/searched.log",
    benchmark:
        "benchmarks/distill/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/searched.tsv"
    threads: NUMERICS.threads
    resources:
        gpu=int(NUMERICS.device != "cpu"),
        mem_mb=memory_of("distill"),
        runtime=1440,
    params:
        config=config_of("distill", guard="searched"),
        code=code_of("distill", guard="searched"),
    shell:
        """
        exec abd distill --config {params.config:q} --code {params.code:q} \
            --teacher {input.teacher:q} \
            --pool {input.pool:q} \
            --warm {input.warm:q} \
            --vaccine {input.vaccine:q} \
            --permutations {input.permutations:q} \
            --plain-state {input.plain_state:q} \
            --plain-student {input.plain_student:q} \
            --plain-history {input.plain_history:q} \
            --monitor {input.monitor:q} \
            --statistics {input.statistics:q} \
            --state {output.state:q} \
            --student {output.student:q} \
            --history {output.history:q} \
            >{log:q} 2>&1
        """
