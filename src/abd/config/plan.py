"""The plan: params.yaml validated, and what each job of it is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from abd.config.budget import scale
from abd.config.cells import Cell, expand
from abd.config.checks import check_cell, check_experiment, check_names
from abd.config.found import own_names
from abd.config.schema import SECTIONS, Settings
from abd.config.sections import Problems, read_settings, read_top
from abd.config.study import Top
from abd.data import DATASETS
from abd.errors import AbdError


@dataclass(frozen=True)
class Plan:
    """A valid params.yaml: its experiments' cells, and the settings per data set."""

    top: Top
    cells: dict[str, list[Cell]]
    settings: dict[str, Settings]

    def wanted(self, experiment: str | None = None) -> list[Cell]:
        """Cells of one experiment, or of all in `run`; none twice."""
        names = self.top.run if experiment is None else [experiment]
        return list(dict.fromkeys(cell for name in names for cell in self.cells[name]))


def make_plan(raw: Mapping[str, Any]) -> Plan:
    """Validate the mapping of params.yaml; AbdError listing every problem in it."""
    problems = Problems()
    for key in set(raw) - set(SECTIONS) - set(Top.model_fields):
        problems.add(key, f"one of {', '.join([*Top.model_fields, *SECTIONS])}", raw[key])
    known = {k: v for k, v in raw.items() if k in SECTIONS or k in Top.model_fields}
    top = read_top(known, problems)
    known_data = sorted({*DATASETS.names(), *own_names(known, problems)})
    cells: dict[str, list[Cell]] = {}
    good: dict[Cell, str] = {}
    if top is not None:
        for name in top.run:
            if name not in top.experiments:
                problems.add("run", f"one of {', '.join(top.experiments)}", name)
        for name, experiment in top.experiments.items():
            check_experiment(name, problems)
            cells[name] = expand(experiment)
            where = f"experiments.{name}.grids"
            good |= {
                c: where for c in cells[name] if check_names(c, known_data, where, problems)
            }
    datasets = dict.fromkeys(cell.dataset for cell in good)
    read = read_settings(known, datasets, known_data, problems)
    settings = {}
    if top is not None:
        settings = {name: scale(own, top.budget) for name, own in read.items()}
    for cell, where in good.items():
        if cell.dataset in settings:
            check_cell(cell, settings[cell.dataset], where, problems)
    problems.raise_any()
    assert top is not None
    return Plan(top, cells, settings)


def load_plan(path: Path) -> Plan:
    """Read and validate a params file; AbdError naming it where it cannot be read."""
    try:
        raw = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise AbdError(f"{path}: expected a YAML file, got {error}") from None
    if not isinstance(raw, dict):
        raise AbdError(f"{path}: expected a mapping of sections, got {type(raw).__name__}")
    return make_plan(raw)
