# Let the student find and unlearn its own backdoor, from the state at lambda on.
#
# REQUIRED INPUTS:
#   teacher, pool, the state at lambda of the distillation that the defense builds on
#   abd: vaccine.json and the distilled student, taken where no SR is called for; the
#   permutations, used where the vaccine stays in force
#   abd by the rule of the paper: the operator's labelled images, and the plain run's
#   student, state at lambda and history
#   the normalisation as it was found, where params.yaml gives none
# OUTPUTS:
#   results/retrospect/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/{defense}/student.safetensors
#   results/retrospect/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/{defense}/history.jsonl
#   results/retrospect/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/abd/decision.json


rule retrospect_sr:
    """Self-retrospection after plain distillation."""
    input:
        teacher="results/teacher/{dataset}/{trigger}/{teacher}-t{teacher_seed}/teacher.safetensors",
        pool=pool_of,
        state="results/distill/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/plain/lambda.safetensors",
        monitor=monitor_of,
        statistics=statistics_of,
    output:
        student="results/retrospect/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/sr/student.safetensors",
        history="results/retrospect/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/sr/history.jsonl",
    log:
        "logs/retrospect/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/sr.log",
    benchmark:
        "benchmarks/retrospect/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/sr.tsv"
    threads: NUMERICS.threads
    resources:
        gpu=int(NUMERICS.device != "cpu"),
        mem_mb=memory_of("retrospect"),
        runtime=720,
    params:
        config=config_of("retrospect", defense="sr"),
        code=code_of("retrospect", defense="sr"),
    shell:
        """
        exec abd retrospect --config {params.config:q} --code {params.code:q} \
            --teacher {input.teacher:q} \
            --pool {input.pool:q} \
            --state {input.state:q} \
            --monitor {input.monitor:q} \
            --statistics {input.statistics:q} \
            --student {output.student:q} \
            --history {output.history:q} \
            >{log:q} 2>&1
        """


rule retrospect_sv_sr:
    """Self-retrospection after distillation with the first vaccine."""
    input:
        teacher="results/teacher/{dataset}/{trigger}/{teacher}-t{teacher_seed}/teacher.safetensors",
        pool=pool_of,
        state="results/distill/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/first/lambda.safetensors",
        monitor=monitor_of,
        statistics=statistics_of,
    output:
        student="results/retrospect/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/sv_sr/student.safetensors",
        history="results/retrospect/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/sv_sr/history.jsonl",
    log:
        "logs/retrospect/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/sv_sr.log",
    benchmark:
        "benchmarks/retrospect/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/sv_sr.tsv"
    threads: NUMERICS.threads
    resources:
        gpu=int(NUMERICS.device != "cpu"),
        mem_mb=memory_of("retrospect"),
        runtime=720,
    params:
        config=config_of("retrospect", defense="sv_sr"),
        code=code_of("retrospect", defense="sv_sr"),
    shell:
        """
        exec abd retrospect --config {params.config:q} --code {params.code:q} \
            --teacher {input.teacher:q} \
            --pool {input.pool:q} \
            --state {input.state:q} \
            --monitor {input.monitor:q} \
            --statistics {input.statistics:q} \
            --student {output.student:q} \
            --history {output.history:q} \
            >{log:q} 2>&1
        """


rule retrospect_abd:
    """Self-retrospection where the rule calls for it, or where it is forced."""
    input:
        teacher="results/teacher/{dataset}/{trigger}/{teacher}-t{teacher_seed}/teacher.safetensors",
        pool=pool_of,
        state="results/distill/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/searched/lambda.safetensors",
        final="results/distill/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/searched/student.safetensors",
        vaccine="results/vaccine/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/vaccine.json",
        permutations="results/vaccine/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/permutations.safetensors",
        labelled=labelled_of,
        plain_state=plain_of("lambda.safetensors"),
        plain_student=plain_of("student.safetensors"),
        plain_history=plain_of("history.jsonl"),
        monitor=monitor_of,
        statistics=statistics_of,
    output:
        student="results/retrospect/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/abd/student.safetensors",
        history="results/retrospect/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/abd/history.jsonl",
        decision="results/retrospect/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/abd/decision.json",
    log:
        "logs/retrospect/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/abd.log",
    benchmark:
        "benchmarks/retrospect/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/abd.tsv"
    threads: NUMERICS.threads
    resources:
        gpu=int(NUMERICS.device != "cpu"),
        mem_mb=memory_of("retrospect"),
        runtime=720,
    params:
        config=config_of("retrospect", defense="abd"),
        code=code_of("retrospect", defense="abd"),
    shell:
        """
        exec abd retrospect --config {params.config:q} --code {params.code:q} \
            --teacher {input.teacher:q} \
            --pool {input.pool:q} \
            --state {input.state:q} \
            --final {input.final:q} \
            --vaccine {input.vaccine:q} \
            --permutations {input.permutations:q} \
            --labelled {input.labelled:q} \
            --plain-state {input.plain_state:q} \
            --plain-student {input.plain_student:q} \
            --plain-history {input.plain_history:q} \
            --monitor {input.monitor:q} \
            --statistics {input.statistics:q} \
            --student {output.student:q} \
            --history {output.history:q} \
            --decision {output.decision:q} \
            >{log:q} 2>&1
        """
