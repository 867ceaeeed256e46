"""The command line of `abd purify`; its options are `abd.purify.options.Options`."""

from __future__ import annotations

import argparse
from pathlib import Path

ABOUT = "distil a clean student from a teacher that nobody vouches for"
DESCRIPTION = (
    "Distil a student without the backdoor that the teacher may have, from surrogate "
    "images alone, and say what was found. Stopped and started again it goes on."
)


def add_options(command: argparse.ArgumentParser) -> None:
    """Add what a user can say of a teacher, and of what is to be made of it."""
    add = command.add_argument
    add(
        "teacher",
        type=Path,
        metavar="FILE",
        help="its weights: safetensors, or of torch.save or torch.export.save",
    )
    add("--arch", required=True, metavar="NAME", help="wrn-16-2, or package.module:Class")
    add("--arch-args", metavar="JSON", help='such as {"depth": 20}, for such a class')
    add("--classes", type=int, required=True, metavar="N")
    add("--size", type=int, required=True, metavar="N", help="pixels of a side")
    add(
        "--normalize",
        required=True,
        metavar="NAME|MEAN/STD",
        help="as the teacher was: cifar10, or 0.5,0.5,0.5/0.25,0.25,0.25",
    )
    add("--student", required=True, metavar="NAME", help="as --arch")
    add("--student-args", metavar="JSON", help="as --arch-args")
    add(
        "--source",
        choices=["ood", "zskt", "cmi"],
        default="ood",
        help="of surrogate images: patches of photographs (the default), or a generator's",
    )
    add(
        "--image",
        dest="images",
        action="append",
        default=[],
        metavar="FILE",
        help="a photograph to cut patches from, may be repeated; without, two that come "
        "with scikit-learn",
    )
    add(
        "--test",
        type=Path,
        metavar="DATA",
        help="labelled images, an .npz file or a folder with one per class: the report "
        "says how many of them each network knows; nothing learns from them",
    )
    add(
        "--trigger",
        metavar="NAME|FILE",
        help="a trigger that you suspect, with --test: one of abd's, or a picture of "
        "--size pixels, transparent where it covers nothing; the report says how often it "
        "works",
    )
    add("--target", type=int, metavar="N", help="the class that it would stand for")
    add("--out", type=_folder, required=True, metavar="FOLDER")
    add("--like", metavar="DATASET", help="a data set of params.yaml: take its settings")
    add("--settings", type=Path, metavar="FILE", help="params laid over the study's")
    add("--budget", type=float, default=1.0, metavar="SHARE", help="of the study's rounds")
    add("--device", default="cpu", metavar="cpu|cuda")
    add("--dtype", choices=["float32", "bfloat16"], default="float32")
    add(
        "--compile",
        action="store_true",
        help="the distillation, on a CPU: quicker, wants a C++ compiler",
    )
    add("--threads", type=int, default=1, metavar="N", help="of one job")
    add("--seed", type=int, default=0, metavar="N")
    add("--dry-run", action="store_true", help="say what would be done, and what it takes")
    add("--cores", type=_count, metavar="N", help="for all jobs; all of them if left out")
    add("--profile", metavar="NAME", help="of Snakemake: slurm, or a folder of your own")


def _folder(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("expected a folder, got nothing")
    return Path(text)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a number, at least 1, got {text}")
    return int(text)
