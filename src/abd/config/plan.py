"""The plan: params.yaml validated, and what each job of it is told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from abd.config.budget import scale
from abd.config.cells import UNKNOWN, Cell, expand
from abd.config.checks import check_cell, check_experiment, check_names
from abd.config.found import own_names
from abd.config.given import given_names
from abd.config.load import load_params
from abd.config.networks import check_networks
from abd.config.schema import SECTIONS, Settings
from abd.config.sections import Problems, overridden, read_settings, read_top
from abd.config.study import Top
from abd.data import DATASETS
from abd.errors import AbdError


@dataclass(frozen=True)
class Plan:
    """A valid params.yaml: its experiments' cells, and the settings per data set.

    `set_aside` says of every experiment that cannot run, and is not in `run`, what is
    wrong with it: a data set that is not configured stops no one who does not want it.
    """

    top: Top
    cells: dict[str, list[Cell]]
    settings: dict[str, Settings]
    set_aside: dict[str, list[str]]

    def wanted(self, experiment: str | None = None) -> list[Cell]:
        """Cells of one experiment, or of all in `run`; none twice.

        Raises AbdError where there is no such experiment, or it was set aside.
        """
        names = self.top.run if experiment is None else [experiment]
        for name in names:
            if name in self.set_aside:
                head = f"params.yaml: experiment {name} cannot run; nothing was started"
                raise AbdError("\n  ".join([head, *self.set_aside[name]]))
            if name not in self.cells:
                raise AbdError(
                    f"experiment: expected one of {', '.join(self.top.experiments)}, got "
                    f"{name!r}; params.yaml names them under experiments"
                )
        return list(dict.fromkeys(cell for name in names for cell in self.cells[name]))

    def studies(self, names: Iterable[str]) -> list[str]:
        """Of these experiments those whose teachers are trained: what reports are about."""
        return [
            name
            for name in names
            if not any(cell.given for cell in expand(self.top.experiments[name]))
        ]


def make_plan(raw: Mapping[str, Any], *, build_networks: bool = False) -> Plan:
    """Validate the mapping of params.yaml; AbdError listing every problem in it.

    What is wrong with a single experiment alone counts where it is in `run`. With
    `build_networks` those that are not ours are built, to see whether they fit.
    """
    problems = Problems()
    for key in set(raw) - set(SECTIONS) - set(Top.model_fields):
        problems.add(key, f"one of {', '.join([*Top.model_fields, *SECTIONS])}", raw[key])
    known = {k: v for k, v in raw.items() if k in SECTIONS or k in Top.model_fields}
    top = read_top(known, problems)
    experiments = {} if top is None else top.experiments
    cells = {name: expand(experiment) for name, experiment in experiments.items()}
    asked = [] if top is None else top.run
    for name in asked:
        if name not in experiments:
            problems.add("run", f"one of {', '.join(experiments)}", name)
    for name in experiments:
        check_experiment(name, problems)

    named = {cell.dataset for own in cells.values() for cell in own}
    if top is None:  # what the experiments would have named cannot be known
        named = overridden(known)
    users = own_names(known, problems)
    there = sorted({*DATASETS.names(), *users, *given_names(known)})
    used = {cell.dataset for name in asked for cell in cells.get(name, ())}
    reader = _Reader(known, there, named, 1 if top is None else top.budget)
    reader.read(used & set(there), problems)
    set_aside = {}
    for name, own in cells.items():
        wrong = problems if name in asked else Problems()
        _check(name, own, reader, wrong, build_networks=build_networks)
        if name not in asked and wrong.lines:
            set_aside[name] = wrong.lines
    problems.raise_any()
    assert top is not None
    good = {name: own for name, own in cells.items() if name not in set_aside}
    return Plan(top, good, reader.settings, set_aside)


class _Reader:
    """The settings per data set, within the budget, as far as they have been read.

    `there` are the data sets that are registered, the user's own, and those of teachers
    that come from a file; only these and those that an experiment has `named` may have
    overrides.
    """

    def __init__(
        self, raw: Mapping[str, Any], there: list[str], named: set[str], budget: float
    ) -> None:
        self.raw, self.there, self.budget = raw, there, budget
        self.known = sorted({*there, *named}, key=str)  # a wrong name may be a number
        self.settings: dict[str, Settings] = {}

    def read(self, datasets: set[str], problems: Problems) -> None:
        """Read what these data sets need; a key that one lacks is a problem."""
        read = read_settings(self.raw, sorted(datasets), self.known, problems)
        own = {name: read[name] for name in read if name in datasets}
        self.settings |= {name: scale(s, self.budget) for name, s in own.items()}


def _check(
    name: str,
    cells: list[Cell],
    reader: _Reader,
    problems: Problems,
    *,
    build_networks: bool,
) -> None:
    """Note what is wrong with an experiment."""
    where = f"experiments.{name}.grids"
    if len({cell.given for cell in cells}) > 1:
        problems.note(where, f"expected triggers, or {UNKNOWN} in all of them, got both")
    # A seed fits with anything, and of a defense its guard counts: one cell stands for all.
    cells = list({(replace(c, seed=0, defense="none"), c.guard): c for c in cells}.values())
    good = [cell for cell in cells if check_names(cell, reader.there, where, problems)]
    new = {cell.dataset for cell in good} - reader.settings.keys()
    if new:
        reader.read(new, problems)
    for cell in good:
        if cell.dataset in reader.settings:
            settings = reader.settings[cell.dataset]
            check_cell(cell, settings, where, problems, reader.budget)
            check_networks(cell, settings, where, problems, build=build_networks)


def load_plan(path: Path) -> Plan:
    """Read and validate a params file; AbdError naming it where it cannot be read."""
    return make_plan(load_params(path))
