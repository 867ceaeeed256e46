"""The schema of params.yaml beside the stages' sections: what is run, and how."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from abd.config.fields import Float, Int, Section, Seed

Defense = Literal["none", "sv", "sr", "sv_sr", "abd"]
# The tables and figures of the paper; of two figures it prints no numbers.
PaperItem = Literal[
    "Table 1",
    "Table 2",
    "Table 3",
    "Table 4",
    "Figure 2",
    "Figure 4",
    "Figure 5",
    "Figure 8",
    "Section on PubFig",
]


TRAINING = ("harden", "teacher", "surrogate", "distill", "retrospect")
MEASURING = ("vaccine", "verdict", "score", "evaluate")
# The long ones. Of the others the surrogate stage and harden are short, and the gradient of
# self-retrospection is one of gradients.
ACCELERATED = ("teacher", "distill")
ACCELERATIONS = ("graph", "compile")


class Numerics(Section):
    """How numbers are computed; nothing is switched on because a machine has it.

    dtype: of the convolutions while networks are trained; what is measured or decided
    is computed in float32 all the same. graph: on a GPU, launch rounds of training whole.
    compile: on a CPU, compile what a step of training computes.
    """

    device: Annotated[str, Field(pattern=r"^(cpu|cuda(:[0-9]{1,2})?)$")]
    dtype: Literal["float32", "bfloat16"]
    threads: Annotated[Int, Field(ge=1, le=1024)]
    deterministic: bool
    graph: bool
    compile: bool

    def of(self, stage: str) -> dict[str, Any]:
        """Those that shape the numbers of a stage that trains or measures."""
        unused = {"dtype"} if stage in MEASURING else set()
        unused |= set(ACCELERATIONS) if stage not in ACCELERATED else set()
        return self.model_dump(exclude=unused)


class Grid(Section):
    """A product of lists: every trigger with every source, defense and seed."""

    dataset: str
    triggers: Annotated[list[str], Field(min_length=1)]
    teacher: str
    student: str
    sources: Annotated[list[str], Field(min_length=1)]
    defenses: Annotated[list[Defense], Field(min_length=1)]
    teacher_seed: Seed
    seeds: Annotated[list[Seed], Field(min_length=1)]


class Experiment(Section):
    """A named union of grids; `title` heads its report.

    `reproduces` is the item of the paper that it is about; its figures are shown beside.
    """

    title: str
    reproduces: PaperItem | None = None
    grids: Annotated[list[Grid], Field(min_length=1)]


class Top(Section):
    """The keys of params.yaml that are not sections of stages."""

    run: Annotated[list[str], Field(min_length=1)]
    budget: Annotated[Float, Field(gt=0, le=1)]
    numerics: Numerics
    experiments: dict[str, Experiment]
