# The whole study as one DAG. What runs is decided by `run` in params.yaml; every
# experiment there is also a target: `snakemake -c2 demo`.
# configfile, constraints and the plan are in rules/common.smk.


include: "rules/common.smk"


rule all:
    """Everything that `run` in params.yaml asks for."""
    default_target: True
    input:
        SUMMARY_FILES if PLAN.studies(PLAN.top.run) else [],
        report_files(PLAN.studies(PLAN.top.run)),
        stage_files(PLAN.wanted()),
    localrule: True


include: "rules/fetch.smk"
include: "rules/patches.smk"
include: "rules/harden.smk"
include: "rules/poison.smk"
include: "rules/teacher.smk"
include: "rules/admit.smk"
include: "rules/surrogate.smk"
include: "rules/vaccine.smk"
include: "rules/distill.smk"
include: "rules/retrospect.smk"
include: "rules/verdict.smk"
include: "rules/evaluate.smk"
include: "rules/score.smk"
include: "rules/report.smk"
