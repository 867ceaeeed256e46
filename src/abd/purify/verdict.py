"""The verdict on a given teacher, in words and pictures; and the student's model card."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from abd import __version__
from abd.purify.calibration import Calibration, read_calibration
from abd.purify.labelled import Known
from abd.purify.sentences import (
    say_end,
    say_of_images,
    say_of_student,
    say_price,
    sum_up,
    suspects,
    warn_of_images,
)
from abd.report.theme import ACCENT, INK, SETTINGS, WARNING, to_svg
from abd.storage.arrays import read_arrays
from abd.storage.files import read_json, write_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NETWORKS = {
    "teacher": "The teacher",
    "undefended": "The undefended student",
    "purified": "The purified student",
}


@dataclass(frozen=True)
class About:
    """What the page and the card say of teacher and student.

    file: the teacher's, with its sha256. photos: those that patches were cut from, by
    name, with their sha256, "" of those that come with scikit-learn. like, settings: the
    data set whose settings were taken, and the sections laid over these. looked_at: what
    shapes a score, as in `Calibration.about`. classes_at_end: how many the student's last
    images showed, if that is known. known: by network, what it does with the
    user's labelled images, where such were given; suspected: the trigger that their ASR is
    of, and its class.
    """

    file: str
    sha256: str
    teacher: str
    student: str
    source: str
    size: int
    n_classes: int
    mean: Sequence[float]
    std: Sequence[float]
    photos: Mapping[str, str]
    like: str | None
    settings: Sequence[str]
    budget: float
    seed: int
    looked_at: Mapping[str, Any]
    classes_at_end: float | None
    known: Mapping[str, Known]
    suspected: str | None


def write_verdict(
    results: Path, pictures: Path, about: About, *, page: Path, card: Path
) -> str:
    """Write the page and the model card; return the sentence that sums up.

    results: verdict.json of stage verdict; pictures: its arrays.
    """
    found, calibration = read_json(results), read_calibration()
    said = (
        sum_up(found, calibration, about.looked_at),
        warn_of_images(found, about.classes_at_end),
    )
    sentence = " ".join(filter(None, said))
    environment = Environment(
        loader=ChoiceLoader(
            [PackageLoader("abd", "purify"), PackageLoader("abd", "report")]
        ),
        autoescape=lambda name: name is not None and name.endswith(".html"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    shown = {
        "v": found,
        "about": about,
        "sentence": sentence,
        "calibration": calibration,
        "end": say_end(found["decision"]),
        "images": say_of_images(found, about.classes_at_end),
        "student": say_of_student(found),
        "price": say_price(about.known),
        "suspects": suspects(found),
        "networks": NETWORKS,
        "version": __version__,
    }
    arrays = read_arrays(pictures)
    write_text(
        page,
        environment.get_template("verdict.html").render(
            **shown,
            figure=Markup(to_svg(_scores(found["score"], calibration), "scores")),
            shuffled=_png(_as_picture(arrays["shuffled"])),
            flagged=[_png(image) for image in arrays["flagged"]],
            deltas={name: _png(_as_picture(arrays[name])) for name in NETWORKS},
        ),
    )
    write_text(card, environment.get_template("card.md").render(**shown))
    return sentence


def _scores(score: float, calibration: Calibration) -> Figure:
    """The score among those of teachers that are known."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(SETTINGS):
        figure = Figure(figsize=(6.4, 1.7), layout="constrained")
        axes = figure.subplots()
        for row, (scores, colour) in enumerate(
            ((calibration.clean, ACCENT), (calibration.backdoored, WARNING))
        ):
            axes.plot(scores, [row] * len(scores), "o", color=colour, alpha=0.6, ms=6)
        axes.axvline(score, color=INK, linestyle="--", linewidth=1.2)
        axes.annotate(
            "this teacher",
            (score, 1.45),
            ha="center",
            va="bottom",
            annotation_clip=False,
        )
        axes.set_yticks([0, 1], ["clean", "backdoored"])
        axes.set_ylim(-0.5, 1.5)
        axes.set_xscale("symlog", linthresh=0.1)
        axes.set_xlim(0, 1.5 * max(score, *calibration.clean, *calibration.backdoored))
        axes.set_xlabel("score, nats")
        return figure


def _as_picture(delta: np.ndarray) -> np.ndarray:
    """A perturbation (3, H, W) as pixels: grey is none, its largest black or white."""
    largest = max(float(np.abs(delta).max()), 1e-12)
    return np.rint(127.5 + 127.5 * delta / largest).astype(np.uint8)


def _png(image: np.ndarray) -> str:
    """Pixels (3, H, W) as a data URI."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(image.transpose(1, 2, 0)).save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
