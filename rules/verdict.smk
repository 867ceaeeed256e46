# Say what can be said of a teacher and its students without knowing any trigger.
#
# REQUIRED INPUTS:
#   teacher; the plain student, and that of abd with its decision
#   the cached batches, the vaccine's verdict and scores
# OUTPUTS:
#   results/verdict/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/verdict.json
#   results/verdict/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/pictures.npz


rule verdict:
    """Look for universal perturbations, in surrogate images alone."""
    input:
        teacher="results/teacher/{dataset}/{trigger}/{teacher}-t{teacher_seed}/teacher.safetensors",
        plain="results/distill/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/plain/student.safetensors",
        student="results/retrospect/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/abd/student.safetensors",
        decision="results/retrospect/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/abd/decision.json",
        cache="results/surrogate/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/cache.safetensors",
        vaccine="results/vaccine/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/vaccine.json",
        scores="results/vaccine/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/scores.npz",
    output:
        verdict="results/verdict/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/verdict.json",
        pictures="results/verdict/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}/pictures.npz",
    log:
        "logs/verdict/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}.log",
    benchmark:
        "benchmarks/verdict/{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}.tsv"
    threads: NUMERICS.threads
    resources:
        gpu=int(NUMERICS.device != "cpu"),
        mem_mb=memory_of("verdict"),
        runtime=240,
    params:
        config=config_of("verdict"),
        code=code_of("verdict"),
    shell:
        """
        exec abd verdict --config {params.config:q} --code {params.code:q} \
            --teacher {input.teacher:q} \
            --plain {input.plain:q} \
            --student {input.student:q} \
            --decision {input.decision:q} \
            --cache {input.cache:q} \
            --vaccine {input.vaccine:q} \
            --scores {input.scores:q} \
            --verdict {output.verdict:q} \
            --pictures {output.pictures:q} \
            >{log:q} 2>&1
        """
