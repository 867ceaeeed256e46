"""The command `abd`: one subcommand per stage, and a few for people."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from abd import __version__, commands
from abd.errors import AbdError, Interrupted
from abd.purify.arguments import ABOUT as ABOUT_PURIFY
from abd.purify.arguments import DESCRIPTION as PURIFY
from abd.purify.arguments import add_options
from abd.stages import STAGES, Stage

EX_TEMPFAIL = 75  # sysexits.h: stopped by a signal, start again to go on

EXAMPLES = """\
examples:
  snakemake -c2                 run what params.yaml asks for, stage by stage
  abd show                      print the tables of what params.yaml asks for
  abd report --experiment NAME  write a page of what has run so far
  abd track sync                send finished runs to MLflow
  abd convert t.pt --net wrn-16-2 --classes 10 --out t.safetensors
                                read weights that nobody vouches for, running none of it
  abd purify t.safetensors --arch wrn-16-2 --classes 10 --size 32 --normalize cifar10 \\
      --student wrn-16-1 --source ood --image street.jpg --out clean/
                                a student without the backdoor, and what was found
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
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, stage in STAGES.items():
        _add_stage(subparsers, name, stage)

    report = subparsers.add_parser(
        "report", help="write an experiment's tables and page, as far as it has run"
    )
    _add_params(report)
    report.add_argument("--experiment", required=True, metavar="NAME")
    _add_paper(report)
    report.add_argument("--rulegraph", type=Path, metavar="DOT", help="from snakemake")
    for option, metavar in (("page", "HTML"), ("table", "MD"), ("figures", "FOLDER")):
        report.add_argument(
            f"--{option}",
            type=Path,
            metavar=metavar,
            help="below work/reports/ if left out",
        )
    report.set_defaults(call=commands.report)

    summary = subparsers.add_parser("summary", help="write one record per cell, as JSON")
    _add_params(summary)
    _add_paper(summary)
    summary.add_argument("--out", type=Path, required=True, metavar="JSON")
    summary.add_argument("--metrics", type=Path, metavar="JSON", help="for dvc metrics")
    summary.add_argument("--plot", type=Path, metavar="JSON", help="for dvc plots")
    summary.set_defaults(call=commands.summary)

    show = subparsers.add_parser("show", help="print the tables of experiments")
    show.add_argument(
        "experiments",
        nargs="*",
        metavar="EXPERIMENT",
        help="those in `run` where none is named",
    )
    _add_params(show)
    _add_paper(show)
    show.add_argument(
        "--finished", action="store_true", help="pass over what has not run yet"
    )
    show.set_defaults(call=commands.show)

    convert = subparsers.add_parser(
        "convert",
        help="turn weights that nobody vouches for into safetensors",
        description="Read the weights of a network from a file that nobody vouches for, "
        "safetensors or of torch.save or torch.export.save, and write them as safetensors. "
        "Nothing in the file is run; it is refused where it holds anything but weights "
        "that fit the network.",
    )
    convert.add_argument("file", type=Path, metavar="FILE")
    convert.add_argument("--net", required=True, metavar="NAME", help="as in params.yaml")
    convert.add_argument("--classes", type=int, required=True, metavar="N")
    convert.add_argument("--out", type=Path, required=True, metavar="FILE")
    convert.set_defaults(call=commands.convert)

    purify = subparsers.add_parser("purify", help=ABOUT_PURIFY, description=PURIFY)
    add_options(purify)
    purify.set_defaults(call=commands.purify)

    prune = subparsers.add_parser(
        "prune", help="list outputs that no experiment asks for, and delete them"
    )
    _add_all_params(prune)
    prune.add_argument("--yes", action="store_true", help="delete what is listed")
    prune.set_defaults(call=commands.prune)

    verify = subparsers.add_parser(
        "verify", help="check every result against its record and the params"
    )
    _add_all_params(verify)
    verify.set_defaults(call=commands.verify)

    track = subparsers.add_parser("track", help="send finished runs to MLflow")
    actions = track.add_subparsers(title="actions", metavar="ACTION", required=True)
    sync = actions.add_parser("sync", help="send what is new or has changed; repeatable")
    sync.add_argument("--results", type=Path, default=Path("results"), metavar="FOLDER")
    sync.add_argument("--reports", type=Path, default=Path("reports"), metavar="FOLDER")
    sync.set_defaults(call=commands.sync)
    return parser


def _add_params(command: argparse.ArgumentParser) -> None:
    command.add_argument("--params", type=Path, default=Path("params.yaml"), metavar="FILE")


def _add_all_params(command: argparse.ArgumentParser) -> None:
    _add_params(command)
    command.add_argument(
        "--configfile",
        type=Path,
        nargs="*",
        action="append",
        metavar="FILE",
        help="laid over it in another run, in this order; once for each run (those of "
        f"{commands.EVIDENCE}, for a GPU and for a CPU, if left out)",
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
    subparsers: argparse._SubParsersAction[argparse.ArgumentParser], name: str, stage: Stage
) -> None:
    parser = subparsers.add_parser(name, help=stage.help, description=stage.help)
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


if __name__ == "__main__":
    sys.exit(main())
