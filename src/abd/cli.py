"""The command `abd`: one subcommand per stage, and a few for people."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from abd import __version__
from abd.errors import AbdError, Interrupted, printable
from abd.stages import STAGES, Stage

if TYPE_CHECKING:  # the command starts without what only some of it needs
    from abd.config import Plan

EVIDENCE = Path("reports/evidence/params.yaml")
MENDS = {
    "damaged": "make a damaged file anew with snakemake -R FILE -- FILE",
    "missing": "snakemake makes anew what is missing",
    "stale": "snakemake makes anew what is stale",
    "foreign": "delete or move what is foreign",
}
EX_TEMPFAIL = 75  # sysexits.h: stopped by a signal, start again to go on

EXAMPLES = """\
examples:
  snakemake -c2                 run what params.yaml asks for, stage by stage
  abd show                      print the tables of what params.yaml asks for
  abd report --experiment NAME  write a page of what has run so far
  abd track sync                send finished runs to MLflow
  abd convert t.pt --net wrn-16-2 --classes 10 --out t.safetensors
                                read weights that nobody vouches for, running none of it
  abd verify                    say which results are damaged, stale, foreign or orphaned
  abd prune                     list outputs that no experiment asks for any more
  abd teacher --help            what a single stage takes (the rules call these)
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    try:
        arguments.call(arguments)
    except Interrupted as error:
        print(f"abd: {error}", file=sys.stderr)
        return EX_TEMPFAIL
    except AbdError as error:
        print(f"abd: error: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="abd",
        description="Data-free distillation from backdoored teachers, and its remedies.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"abd {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, stage in STAGES.items():
        _add_stage(commands, name, stage)

    report = commands.add_parser(
        "report", help="write an experiment's tables and page, as far as it has run"
    )
    report.add_argument("--params", type=Path, default=Path("params.yaml"), metavar="FILE")
    report.add_argument("--experiment", required=True, metavar="NAME")
    _add_paper(report)
    report.add_argument("--rulegraph", type=Path, metavar="DOT", help="from snakemake")
    for option, metavar in (("page", "HTML"), ("table", "MD"), ("figures", "FOLDER")):
        report.add_argument(
            f"--{option}", type=Path, metavar=metavar, help="below reports/ if left out"
        )
    report.set_defaults(call=_report)

    summary = commands.add_parser("summary", help="write one record per cell, as JSON")
    summary.add_argument("--params", type=Path, default=Path("params.yaml"), metavar="FILE")
    _add_paper(summary)
    summary.add_argument("--out", type=Path, required=True, metavar="JSON")
    summary.add_argument("--metrics", type=Path, metavar="JSON", help="for dvc metrics")
    summary.add_argument("--plot", type=Path, metavar="JSON", help="for dvc plots")
    summary.set_defaults(call=_summary)

    show = commands.add_parser("show", help="print the tables of experiments")
    show.add_argument(
        "experiments",
        nargs="*",
        metavar="EXPERIMENT",
        help="those in `run` where none is named",
    )
    show.add_argument("--params", type=Path, default=Path("params.yaml"), metavar="FILE")
    _add_paper(show)
    show.add_argument(
        "--finished", action="store_true", help="pass over what has not run yet"
    )
    show.set_defaults(call=_show)

    convert = commands.add_parser(
        "convert",
        help="turn weights that nobody vouches for into safetensors",
        description="Read the weights of a network from a file that nobody vouches for, "
        "safetensors or of torch.save, and write them as safetensors. Nothing in the file "
        "is run; it is refused where it holds anything but weights that fit the network.",
    )
    convert.add_argument("file", type=Path, metavar="FILE")
    convert.add_argument("--net", required=True, metavar="NAME", help="as in params.yaml")
    convert.add_argument("--classes", type=int, required=True, metavar="N")
    convert.add_argument("--out", type=Path, required=True, metavar="FILE")
    convert.set_defaults(call=_convert)

    prune = commands.add_parser(
        "prune", help="list outputs that no experiment asks for, and delete them"
    )
    _add_all_params(prune)
    prune.add_argument("--yes", action="store_true", help="delete what is listed")
    prune.set_defaults(call=_prune)

    verify = commands.add_parser(
        "verify", help="check every result against its record and the params"
    )
    _add_all_params(verify)
    verify.set_defaults(call=_verify)

    track = commands.add_parser("track", help="send finished runs to MLflow")
    actions = track.add_subparsers(title="actions", metavar="ACTION", required=True)
    sync = actions.add_parser("sync", help="send what is new or has changed; repeatable")
    sync.add_argument("--results", type=Path, default=Path("results"), metavar="FOLDER")
    sync.add_argument("--reports", type=Path, default=Path("reports"), metavar="FOLDER")
    sync.set_defaults(call=_sync)
    return parser


def _add_all_params(command: argparse.ArgumentParser) -> None:
    command.add_argument("--params", type=Path, default=Path("params.yaml"), metavar="FILE")
    command.add_argument(
        "--configfile",
        type=Path,
        nargs="*",
        default=[path for path in (EVIDENCE,) if path.is_file()],
        metavar="FILE",
        help=f"laid over it in other runs, each by itself: {EVIDENCE} if left out",
    )


def _add_paper(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--paper",
        type=Path,
        default=Path("reports/paper.yaml"),
        metavar="FILE",
        help="the figures that the paper prints",
    )


def _add_stage(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, stage: Stage
) -> None:
    parser = commands.add_parser(name, help=stage.help, description=stage.help)
    parser.add_argument("--config", required=True, metavar="JSON", help="slice of params")
    parser.add_argument("--code", required=True, metavar="DIGEST", help="as planned")
    required = stage.required()
    for kind, names in (
        ("input", stage.input_names()),
        ("output", stage.output_names()),
    ):
        group = parser.add_argument_group(f"{kind}s")
        for option in names:
            group.add_argument(
                f"--{option.replace('_', '-')}",
                type=Path,
                nargs=None if option in required else "*",
                required=option in required,
                metavar="FILE",
            )
    for option in stage.options:
        parser.add_argument(f"--{option}", required=True, metavar="VALUE")
    parser.set_defaults(call=_run_stage, stage=name)


def _run_stage(arguments: argparse.Namespace) -> None:
    from abd.config.slices import read_slice
    from abd.stages.job import run_job

    stage = STAGES[arguments.stage]
    run_job(
        arguments.stage,
        read_slice(arguments.stage, arguments.config),
        arguments.code,
        inputs=_files(arguments, stage.input_names()),
        outputs=_files(arguments, stage.output_names()),
        options={name: getattr(arguments, name) for name in stage.options},
    )


def _files(arguments: argparse.Namespace, names: Iterable[str]) -> dict[str, Path]:
    """The files that were given, by name; several of one name are numbered."""
    files: dict[str, Path] = {}
    for name in names:
        given = getattr(arguments, name)
        if isinstance(given, list) and len(given) > 1:
            files |= {f"{name}.{i}": path for i, path in enumerate(given)}
        elif given:
            files[name] = given[0] if isinstance(given, list) else given
    return files


def _report(arguments: argparse.Namespace) -> None:
    from abd.config.paths import report_files
    from abd.report.write import write_report

    page, table, figures = map(Path, report_files([arguments.experiment]))
    write_report(
        arguments.params,
        arguments.experiment,
        paper=arguments.paper,
        dot=arguments.rulegraph,
        page=arguments.page or page,
        table=arguments.table or table,
        folder=arguments.figures or figures,
    )


def _summary(arguments: argparse.Namespace) -> None:
    from abd.report.summary import write_metrics, write_summary

    write_summary(arguments.params, arguments.paper, arguments.out)
    if arguments.metrics and arguments.plot:
        write_metrics(arguments.out, arguments.metrics, arguments.plot)


def _show(arguments: argparse.Namespace) -> None:
    from abd.report.terminal import show

    show(
        arguments.params,
        arguments.paper,
        arguments.experiments,
        only_finished=arguments.finished,
    )


def _convert(arguments: argparse.Namespace) -> None:
    from abd.nets import build_net
    from abd.storage.checkpoints import write_net
    from abd.storage.foreign import read_foreign_net

    if arguments.classes < 2:
        raise AbdError(f"--classes: expected at least 2, got {arguments.classes}")
    net = build_net(arguments.net, arguments.classes)
    write_net(arguments.out, read_foreign_net(arguments.file, net))
    n_weights = sum(tensor.numel() for tensor in net.state_dict().values())
    print(f"written: {arguments.out}: {n_weights} numbers of a {arguments.net}")


def _plans(arguments: argparse.Namespace) -> list[Plan]:
    """The plan of params.yaml, and of it with each other file laid over it."""
    from abd.config import load_params, make_plan
    from abd.config.sections import merge

    params = load_params(arguments.params)
    others = [merge(params, load_params(path)) for path in arguments.configfile]
    return [make_plan(raw) for raw in (params, *others)]


def _prune(arguments: argparse.Namespace) -> None:
    from abd.config.cells import expand
    from abd.storage.pruning import delete, unasked

    experiments = {
        name: experiment
        for plan in _plans(arguments)
        for name, experiment in plan.top.experiments.items()
    }
    cells = [cell for experiment in experiments.values() for cell in expand(experiment)]
    root = Path()
    paths = unasked(experiments, cells, root)
    megabytes = sum(path.lstat().st_size for path in paths) / 2**20
    for path in paths:
        print(path)
    what = f"{len(paths)} file(s), {megabytes:.1f} MiB, that no experiment asks for"
    if arguments.yes:
        delete(paths, root)
        print(f"deleted: {what}")
    elif paths:
        print(f"{what}; abd prune --yes deletes them")
    else:
        print("nothing to prune: an experiment asks for every output")


def _verify(arguments: argparse.Namespace) -> None:
    from abd.config.asked import asked_jobs
    from abd.storage.verifying import verify

    n_files, findings = verify(Path(), asked_jobs(_plans(arguments)))
    for finding in findings:
        print(printable(f"{finding.kind:8}  {finding.path}: {finding.what}"))
    counts = Counter(finding.kind for finding in findings)
    told = ", ".join(f"{n} {kind}" for kind, n in sorted(counts.items()))
    print(f"{n_files} file(s) below results/ checked: {told or 'all as recorded'}")
    if wrong := counts.keys() - {"orphaned"}:
        mends = [MENDS[kind] for kind in MENDS if kind in wrong]
        raise AbdError(f"verify: {'; '.join(mends)}")


def _sync(arguments: argparse.Namespace) -> None:
    from abd.storage.tracking import sync

    sync(arguments.results, arguments.reports)


if __name__ == "__main__":
    sys.exit(main())
