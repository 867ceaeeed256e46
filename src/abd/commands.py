"""What the subcommands of `abd` do that are for people; each imports what it needs."""

from __future__ import annotations

import argparse
from collections import Counter
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING

from abd.errors import AbdError, printable
from abd.storage.files import remove_unfinished

if TYPE_CHECKING:  # the command starts without what only some of it needs
    from abd.config import Plan

EVIDENCE = Path("reports/evidence")
MENDS = {
    "damaged": "make a damaged file anew with snakemake -R FILE -- FILE",
    "missing": "snakemake makes anew what is missing",
    "stale": "snakemake makes anew what is stale (where a file in a folder of images was "
    "edited, with -R fetch)",
    "foreign": "delete or move what is foreign",
}


def report(arguments: argparse.Namespace) -> None:
    """Write an experiment's tables and page, as far as it has run.

    Where no place is given they do not take that of Snakemake's, which are of the whole
    experiment, and which Snakemake would take for its own.
    """
    from abd.config.paths import report_files
    from abd.report.write import write_report

    files = report_files([arguments.experiment])
    given = arguments.page, arguments.table, arguments.figures
    page, table, figures = (g or Path("work", f) for g, f in zip(given, files, strict=True))
    remove_unfinished(page, table)
    lists = write_report(
        arguments.params,
        arguments.experiment,
        paper=arguments.paper,
        dot=arguments.rulegraph,
        page=page,
        table=table,
        folder=figures,
    )
    if not arguments.page:
        print(f"report: {page}")
        for own in lists:
            print(f"{own.word.lower()}: {own.text}")


def summary(arguments: argparse.Namespace) -> None:
    """Write one record per cell, and what DVC reads."""
    from abd.report.summary import write_metrics, write_summary

    own = arguments.out, arguments.metrics, arguments.plot
    remove_unfinished(*(path for path in own if path))
    write_summary(arguments.params, arguments.paper, arguments.out)
    if arguments.metrics and arguments.plot:
        write_metrics(arguments.out, arguments.metrics, arguments.plot)


def show(arguments: argparse.Namespace) -> None:
    """Print the tables of experiments."""
    from abd.report.terminal import show

    show(
        arguments.params,
        arguments.paper,
        arguments.experiments,
        only_finished=arguments.finished,
    )


def convert(arguments: argparse.Namespace) -> None:
    """Turn weights that nobody vouches for into safetensors."""
    from abd.nets import build_net
    from abd.nets.names import check_classes
    from abd.storage.checkpoints import write_net
    from abd.storage.foreign import read_foreign_net

    check_classes(arguments.classes)
    net = build_net(arguments.net, arguments.classes)
    write_net(arguments.out, read_foreign_net(arguments.file, net))
    n_weights = sum(tensor.numel() for tensor in net.state_dict().values())
    print(f"written: {arguments.out}: {n_weights} numbers of a {arguments.net}")


def purify(arguments: argparse.Namespace) -> None:
    """Distil a clean student from a teacher that nobody vouches for."""
    from dataclasses import fields

    from abd.compiler import check_compiler
    from abd.purify.options import Options
    from abd.purify.run import options_of_snakemake, plan_of, prepare, run, working_in

    options = Options(**{f.name: getattr(arguments, f.name) for f in fields(Options)})
    snakemake = options_of_snakemake(arguments.profile, arguments.cores)
    params, plan, own = plan_of(options)
    if params["numerics"]["compile"] and arguments.profile is None:  # else nodes have it
        check_compiler()
    if arguments.dry_run:
        from abd.purify.estimate import estimate

        print(estimate(plan))
        return
    from abd.purify.export import export

    with working_in(options.out) as lock:
        work = prepare(options, params)
        run(work, snakemake, lock)
        sentence, written = export(work, options, plan, own)
    for path in written:
        print(f"written: {path}")
    print(sentence)


def _plans(arguments: argparse.Namespace) -> list[Plan]:
    """The plan of params.yaml, and that of each other run, with files laid over it."""
    from abd.config import load_params, make_plan
    from abd.config.sections import merge

    params = load_params(arguments.params)
    given = arguments.configfile
    runs = _evidence_runs() if given is None else [files for files in given if files]
    laid_over = (reduce(merge, map(load_params, files), params) for files in runs)
    return [make_plan(raw) for raw in (params, *laid_over)]


def _evidence_runs() -> list[list[Path]]:
    """The files that are laid over params.yaml, in order, for each run of the evidence."""
    first = EVIDENCE / "params.yaml"
    others = [path for path in sorted(EVIDENCE.glob("*.yaml")) if path != first]
    return [[first], *([first, own] for own in others)] if first.is_file() else []


def prune(arguments: argparse.Namespace) -> None:
    """List outputs that no experiment asks for, and delete them."""
    from abd.config.cells import expand
    from abd.provenance.pruning import delete, unasked

    experiments = [
        pair for plan in _plans(arguments) for pair in plan.top.experiments.items()
    ]
    names = dict.fromkeys(name for name, _ in experiments)
    cells = [cell for _, experiment in experiments for cell in expand(experiment)]
    root = Path()
    paths = unasked(names, cells, root)
    megabytes = sum(path.lstat().st_size for path in paths) / 2**20
    for path in paths:
        print(printable(str(path)))
    what = f"{len(paths)} file(s), {megabytes:.1f} MiB, that no experiment asks for"
    if arguments.yes:
        delete(paths, root)
        print(f"deleted: {what}")
    elif paths:
        print(f"{what}; abd prune --yes deletes them")
    else:
        print("nothing to prune: an experiment asks for every output")


def verify(arguments: argparse.Namespace) -> None:
    """Say what is not as records and params say; AbdError where it is more than orphans."""
    from abd.config.asked import asked_jobs
    from abd.provenance.verifying import verify

    n_files, findings = verify(Path(), asked_jobs(_plans(arguments)))
    for finding in findings:
        print(printable(f"{finding.kind:8}  {finding.path}: {finding.what}"))
    counts = Counter(finding.kind for finding in findings)
    told = ", ".join(f"{n} {kind}" for kind, n in sorted(counts.items()))
    print(f"{n_files} file(s) below results/ checked: {told or 'all as recorded'}")
    if wrong := counts.keys() - {"orphaned"}:
        mends = [MENDS[kind] for kind in MENDS if kind in wrong]
        raise AbdError(f"verify: {'; '.join(mends)}")


def sync(arguments: argparse.Namespace) -> None:
    """Send finished runs to MLflow."""
    from abd.provenance.tracking import sync

    sync(arguments.results, arguments.reports)
