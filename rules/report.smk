# Write what people and programs read: one page per experiment, one summary of all.
#
# REQUIRED INPUTS:
#   every stage's results of the experiment's cells
#   reports/paper.yaml, the figures that the paper prints
#   Snakefile and rules/*.smk, for the rule graph
# OUTPUTS:
#   reports/summary.json, reports/metrics.json, reports/plot.json
#   reports/rulegraphs/{experiment}.dot
#   reports/pages/{experiment}.html
#   reports/pages/{experiment}.md
#   reports/figures/{experiment}/


rule rulegraph:
    """Draw how the rules of an experiment depend on each other, as DOT."""
    input:
        "Snakefile",
        sorted(map(str, Path("rules").glob("*.smk"))),
    output:
        "reports/rulegraphs/{experiment}.dot",
    log:
        "logs/rulegraph/{experiment}.log",
    localrule: True
    params:
        # What decides which rules an experiment has; more seeds draw the same graph.
        kinds=lambda w: sorted(
            {f"{cell.source} {cell.defense}" for cell in PLAN.wanted(w.experiment)}
        ),
    shell:
        # The inner Snakemake is to plan with what --config changed, too.
        """
        ABD_PARAMS="$ABD_PLAN" snakemake --nolock --rulegraph dot \
            -- {wildcards.experiment:q} >{output:q} 2>{log:q}
        """


rule report:
    """Write an experiment's tables, figures and page."""
    input:
        results=lambda w: stage_files(PLAN.wanted(w.experiment)),
        paper="reports/paper.yaml",
        rulegraph="reports/rulegraphs/{experiment}.dot",
    output:
        page=report(
            "reports/pages/{experiment}.html",
            caption="captions/page.rst",
            category="{experiment}",
            labels={"what": "the whole page"},
        ),
        table=report(
            "reports/pages/{experiment}.md",
            caption="captions/table.rst",
            category="{experiment}",
            labels={"what": "table"},
        ),
        figures=report(
            directory("reports/figures/{experiment}"),
            patterns=["{figure}.png"],
            caption="captions/figure.rst",
            category="{experiment}",
            labels={"what": "{figure}"},
        ),
    log:
        "logs/report/{experiment}.log",
    benchmark:
        "benchmarks/report/{experiment}.tsv"
    localrule: True
    params:
        cells=lambda w: [str(cell) for cell in PLAN.wanted(w.experiment)],
        title=lambda w: PLAN.top.experiments[w.experiment].title,
        reproduces=lambda w: PLAN.top.experiments[w.experiment].reproduces,
        code=report_digest(),
        # The page's last line says these.
        budget=PLAN.top.budget,
        device=NUMERICS.device,
        threads_of_jobs=NUMERICS.threads,
    shell:
        """
        exec abd report --params "$ABD_PLAN" --experiment {wildcards.experiment:q} \
            --paper {input.paper:q} --rulegraph {input.rulegraph:q} \
            --page {output.page:q} --table {output.table:q} \
            --figures {output.figures:q} >{log:q} 2>&1
        """


# Of a teacher that comes from a file there are no figures to sum up.
SUMMED = PLAN.studies(PLAN.top.run)


rule summary:
    """Write one record per cell of everything in `run`."""
    input:
        results=[path for name in SUMMED for path in stage_files(PLAN.wanted(name))],
        paper="reports/paper.yaml",
    output:
        summary="reports/summary.json",
        metrics="reports/metrics.json",
        plot="reports/plot.json",
    log:
        "logs/report/summary.log",
    localrule: True
    params:
        cells={name: [str(cell) for cell in PLAN.wanted(name)] for name in SUMMED},
        reproduces=[PLAN.top.experiments[name].reproduces for name in SUMMED],
        code=report_digest(),
    shell:
        """
        exec abd summary --params "$ABD_PLAN" --paper {input.paper:q} \
            --out {output.summary:q} --metrics {output.metrics:q} --plot {output.plot:q} \
            >{log:q} 2>&1
        """


for _name in PLAN.cells:

    rule:
        name:
            _name
        input:
            report_files(PLAN.studies([_name])),
            stage_files(PLAN.wanted(_name)),
            # The summary is of all that `run` asks for: here, of this one.
            SUMMARY_FILES if PLAN.studies(PLAN.top.run) == [_name] else [],
        localrule: True


# Asked for all the same, they say what they lack.
for _name in PLAN.set_aside:

    rule:
        name:
            _name
        input:
            lambda w, name=_name: PLAN.wanted(name),
        localrule: True
