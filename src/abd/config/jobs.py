"""What each job of the DAG is told: its slice of the params, and its code's digest.

A job's slice holds exactly what shapes its numbers, so that an edit of params.yaml
re-runs the jobs that it concerns and no other.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from abd import nets
from abd.config.cells import GUARDS
from abd.config.given import given_digest
from abd.config.lengths import lengths
from abd.config.plan import Plan
from abd.config.rule import paper_rule
from abd.config.schema import Settings
from abd.config.sources import SOURCES, settings_class
from abd.config.study import MEASURING, TRAINING
from abd.data import DATASETS
from abd.data.folders import listing_digest
from abd.digest import code_digest
from abd.nets.names import is_import_path
from abd.triggers import TRIGGERS

# What few jobs have: the code digest of the others must not hold it.
OWN_DATA = "abd.data.own"
# Of networks by import path: what gives them their first weights, and their own draws.
FOREIGN_NETS = ("abd.nets.foreign", "abd.stages.global_stream")
DECIDING, MEASURING_DROP = "abd.stages.deciding", "abd.stages.measuring"


@dataclass(frozen=True)
class JobSpec:
    """The two things a job's command carries: its slice as JSON, and its code digest."""

    config: str
    code: str


def job_spec(plan: Plan, stage: str, wildcards: Mapping[str, str]) -> JobSpec:
    """Return the spec of the job of `stage` with these wildcards.

    Wildcards are the names of a path: dataset, trigger, teacher, teacher_seed, source,
    student, seed, guard, defense; those that the stage does not have are absent.
    """
    settings = plan.settings[wildcards["dataset"]]
    config = {
        "members": _members(stage, settings, wildcards),
        **_SLICES[stage](settings, wildcards),
    }
    if stage in TRAINING or stage in MEASURING:
        config["numerics"] = plan.top.numerics.of(stage)
    return JobSpec(
        config=json.dumps(config, sort_keys=True),
        code=code_digest(stage, config["members"]),
    )


def _members(stage: str, s: Settings, w: Mapping[str, str]) -> list[dict[str, str]]:
    """The registry members that shape a job's numbers."""
    members = []
    if stage == "fetch":
        own = s.fetch.path is not None
        members.append({"module": OWN_DATA} if own else DATASETS.identity(w["dataset"]))
    if stage == "poison":
        members.append(TRIGGERS.identity(w["trigger"]))
    hardened = [s.harden.net] if stage == "harden" else []
    for net in (*hardened, *(w[who] for who in ("teacher", "student") if who in w)):
        members.append(nets.identity(net))
        if is_import_path(net):
            members += [{"module": module} for module in FOREIGN_NETS]
    if stage in ("surrogate", "distill", "retrospect"):
        members.append(SOURCES.identity(w["source"], settings_class(w["source"]).build))
    if stage == "retrospect" and w["defense"] == "abd":
        members.append({"module": DECIDING})
        if s.retrospect.rule == "paper":
            members.append({"module": MEASURING_DROP})
    return [m for i, m in enumerate(members) if m not in members[:i]]


def _fetch(s: Settings, w: Mapping[str, str]) -> dict[str, Any]:
    config: dict[str, Any] = {
        "dataset": w["dataset"],
        "fetch": s.fetch.model_dump(include={"size", "n_classes", "n_train", "resize"}),
    }
    # A file is an input of the job. Of a folder Snakemake would see the date alone.
    if s.fetch.path is not None and Path(s.fetch.path).is_dir():
        config["listing"] = listing_digest(Path(s.fetch.path))
    return config


def _patches(s: Settings, _: Mapping[str, str]) -> dict[str, Any]:
    return {"patches": s.patches.model_dump(), "size": s.fetch.size}


def _harden(s: Settings, _: Mapping[str, str]) -> dict[str, Any]:
    return {
        "images": _images(s),
        "harden": s.harden.model_dump(),
        "target": s.poison.target,
    }


def _poison(s: Settings, w: Mapping[str, str]) -> dict[str, Any]:
    trigger = w["trigger"]
    return {
        "trigger": trigger,
        "variant": s.poison.variants.get(trigger),
        "assets": s.poison.assets.get(trigger, {}),
        "poison": s.poison.model_dump(include={"rate", "holdout", "target"}),
        "size": s.fetch.size,
    }


def _images(s: Settings) -> dict[str, Any]:
    """What a network must know of its images."""
    return s.fetch.model_dump(include={"size", "n_classes", "mean", "std"})


def _teacher(s: Settings, w: Mapping[str, str]) -> dict[str, Any]:
    return {
        "images": _images(s),
        "teacher": s.teacher.model_dump(exclude={"weights"}),
        "net": w["teacher"],
        "seed": int(w["teacher_seed"]),
    }


def _student(s: Settings, w: Mapping[str, str]) -> dict[str, Any]:
    """What every stage between teacher and evaluation is told."""
    return {
        "images": _images(s),
        "teacher_net": w["teacher"],
        "student_net": w["student"],
        "source": w["source"],
        "seed": int(w["seed"]),
    }


def _distillation(s: Settings, w: Mapping[str, str]) -> dict[str, Any]:
    own = s.distill.of(w["source"])
    return {
        **_student(s, w),
        "settings": own.arguments(),
        "total": lengths(s, w["source"]).total,
        "log_every": own.log_every,
    }


def _surrogate(s: Settings, w: Mapping[str, str]) -> dict[str, Any]:
    long = lengths(s, w["source"])
    return {**_distillation(s, w), "warm": long.warm, "skip": long.skip}


def _positions(s: Settings, w: Mapping[str, str]) -> dict[str, Any]:
    return {
        "lambda": lengths(s, w["source"]).lambda_,
        "eval_every": s.distill.of(w["source"]).eval_every,
    }


def _distill(s: Settings, w: Mapping[str, str]) -> dict[str, Any]:
    config = {**_distillation(s, w), **_positions(s, w), "guard": w["guard"]}
    if w["guard"] != "plain":
        config |= _guarded(s, w["guard"])
    return config


def _retrospect(s: Settings, w: Mapping[str, str]) -> dict[str, Any]:
    sr = s.retrospect
    config = {
        **_distillation(s, w),
        **_positions(s, w),
        "retrospection": retrospection_constants(s, w["source"]),
        "lr": sr.of(w["source"]).lr,
        "defense": w["defense"],
    }
    if w["defense"] == "abd":
        config["force"] = sr.force
        if sr.rule == "paper":
            config["paper"] = paper_rule(sr)
    if sr.sv and w["defense"] != "sr":
        guard = GUARDS[w["defense"]]
        config |= {"guard": guard, **_guarded(s, guard)}
    return config


def retrospection_constants(s: Settings, source: str) -> dict[str, Any]:
    """The constants of a step of self-retrospection; see `RetrospectionSettings`."""
    own = s.retrospect.of(source)
    return {
        **s.retrospect.constants(source),
        "portion": own.portion,
        "weight": own.weight,
        "tau": own.tau or s.distill.of(source).tau,
    }


def _guarded(s: Settings, guard: str) -> dict[str, Any]:
    """What a distillation with a vaccine is told of it."""
    config: dict[str, Any] = {"vaccine_guard": s.distill.guard.model_dump()}
    if guard == "first":
        config["vaccine"] = s.vaccine.model_dump(include={"members", "n_conv"})
    return config


def _verdict(s: Settings, w: Mapping[str, str]) -> dict[str, Any]:
    return {
        **_student(s, w),
        "vaccine": s.vaccine.model_dump(include={"members", "n_conv"}),
        "verdict": s.verdict.model_dump(),
        # Each network's own picture, kept small: one of any size would flip all there is.
        "retrospection": retrospection_constants(s, w["source"])
        | {"perturb": "student", "l2_in_synthesis": True, "reduction": "mean"},
    }


def _score(s: Settings, w: Mapping[str, str]) -> dict[str, Any]:
    return {
        "images": _images(s),
        "teacher_net": w["teacher"],
        "direction": s.vaccine.direction,
    }


def _evaluate(s: Settings, w: Mapping[str, str]) -> dict[str, Any]:
    cell = {k: int(v) if k in ("teacher_seed", "seed") else v for k, v in w.items()}
    return {"images": _images(s), "cell": cell}


_SLICES = {
    "fetch": _fetch,
    "patches": _patches,
    "harden": _harden,
    "poison": _poison,
    "teacher": _teacher,
    "admit": lambda s, w: {"net": w["teacher"], "images": _images(s), **given_digest(s)},
    "surrogate": _surrogate,
    "vaccine": lambda s, w: {**_student(s, w), "vaccine": s.vaccine.model_dump()},
    "distill": _distill,
    "retrospect": _retrospect,
    "verdict": _verdict,
    "score": _score,
    "evaluate": _evaluate,
}
