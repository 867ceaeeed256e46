# Take in a teacher that was trained elsewhere, running nothing of its file.
#
# REQUIRED INPUTS:
#   the file of teacher.by_dataset.{dataset}.weights
# OUTPUTS:
#   results/teacher/{dataset}/unknown/{teacher}-t{teacher_seed}/teacher.safetensors


rule admit:
    """Read the weights of a teacher that nobody vouches for."""
    input:
        file=weights_of,
    output:
        weights="results/teacher/{dataset}/{trigger}/{teacher}-t{teacher_seed}/teacher.safetensors",
    log:
        "logs/admit/{dataset}/{trigger}/{teacher}-t{teacher_seed}.log",
    benchmark:
        "benchmarks/admit/{dataset}/{trigger}/{teacher}-t{teacher_seed}.tsv"
    wildcard_constraints:
        trigger=UNKNOWN,
    resources:
        mem_mb=memory_of("admit"),
        runtime=30,
    params:
        config=config_of("admit"),
        code=code_of("admit"),
    shell:
        """
        exec abd admit --config {params.config:q} --code {params.code:q} \
            --file {input.file:q} \
            --weights {output.weights:q} \
            >{log:q} 2>&1
        """
