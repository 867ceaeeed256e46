# Write what people and programs read: one page per experiment, one summary of all.
#
# REQUIRED INPUTS:
#   every stage's results of the experiment's cells
# OUTPUTS:
#   reports/summary.json
#   reports/pages/{experiment}.html
#   reports/pages/{experiment}.md
#   reports/figures/{experiment}/


rule rulegraph:
    """Draw how the rules depend on each other, as DOT."""
    input:
        "Snakefile",
    output:
        "reports/rulegraph.dot",
    log:
        "logs/report/rulegraph.log",
    localrule: True
    params:
        experiments=sorted(PLAN.top.run),
    shell:
        "snakemake --nolock --rulegraph dot -- all > {output:q} 2> {log:q}"


rule report:
    """Write an experiment's tables, figures and page."""
    input:
        results=lambda w: stage_files(PLAN.wanted(w.experiment)),
        rulegraph="reports/rulegraph.dot",
    output:
        page="reports/pages/{experiment}.html",
        table="reports/pages/{experiment}.md",
        figures=directory("reports/figures/{experiment}"),
    log:
        "logs/report/{experiment}.log",
    benchmark:
        "benchmarks/report/{experiment}.tsv"
    localrule: True
    params:
        cells=lambda w: [str(cell) for cell in PLAN.wanted(w.experiment)],
        title=lambda w: PLAN.top.experiments[w.experiment].title,
        code=report_digest(),
        numerics=NUMERICS.model_dump_json(),
        budget=PLAN.top.budget,
    shell:
        """
        exec abd report --params "$ABD_PLAN" --experiment {wildcards.experiment:q} \
            --rulegraph {input.rulegraph:q} --page {output.page:q} \
            --table {output.table:q} --figures {output.figures:q} >{log:q} 2>&1
        """


rule summary:
    """Write one record per cell of everything in `run`."""
    input:
        stage_files(PLAN.wanted()),
    output:
        "reports/summary.json",
    log:
        "logs/report/summary.log",
    localrule: True
    params:
        cells={name: [str(cell) for cell in PLAN.wanted(name)] for name in PLAN.top.run},
        code=report_digest(),
        numerics=NUMERICS.model_dump_json(),
        budget=PLAN.top.budget,
    shell:
        'exec abd summary --params "$ABD_PLAN" --out {output:q} > {log:q} 2>&1'


for _name in PLAN.cells:

    rule:
        name:
            _name
        input:
            report_files([_name]),
            stage_files(PLAN.wanted(_name)),
        localrule: True
