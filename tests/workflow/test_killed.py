"""Every training stage, killed at random moments one after the other, ends with the same bytes."""

import json
import random
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from abd.config import load_plan
from abd.config.jobs import job_spec
from abd.config.paths import pool_path
from abd.storage.files import sha256
from abd.storage.records import NAME as RECORD
from tests.workflow.conftest import GRID
from tests.workflow.killing import Command, moments, run

SOURCES = ("clean", "cmi", "ood", "zskt")
CELL = {
    "dataset": "digits", "trigger": "badnet_sq", "teacher": "wrn-10-1", "teacher_seed": "0",
    "student": "wrn-10-1", "seed": "0",
}  # fmt: skip
TEACHER = "results/teacher/digits/badnet_sq/wrn-10-1-t0/teacher.safetensors"
TEST = "results/poison/digits/badnet_sq/test.npz"
ROUNDS = {
    "zskt": {"cycles": 12, "batch": 16, "log_every": 4, "eval_every": 6},
    "cmi": {
        "epochs": 4, "kd_steps": 2, "batch": 16, "log_every": 2, "eval_every": 8,
        "bank": 64, "synthesis": {"images": 32, "steps": 2, "n_negatives": 32},
    },
    "ood": {"epochs": 5, "log_every": 4, "eval_every": 12},
    "clean": {"epochs": 3, "log_every": 4, "eval_every": 12},
}  # fmt: skip
LAST = {"clean": 1, "cmi": 1, "ood": 1, "zskt": 3}  # epochs; of zskt cycles
CHANGES = {
    "experiments": {
        "killed": {"title": "killed", "grids": [{**GRID, "sources": [*SOURCES]}]}
    },
    "surrogate": {
        "skip": {"zskt": 1, "cmi": 1},
        "by_dataset": {"digits": {"warm": dict.fromkeys(SOURCES, 5)}},
    },
    "distill": {"by_dataset": {"digits": ROUNDS}},
    "retrospect": {
        "sv": True,
        "by_dataset": {"digits": {source: {"last": LAST[source]} for source in SOURCES}},
    },
    "harden": {
        "attack": {"steps": 1},
        "by_dataset": {
            "digits": {"net": "wrn-10-1", "epochs": 1, "training": {"steps": 1}}
        },
    },
}


@pytest.fixture
def plan(inside):
    inside.edit(CHANGES)
    return load_plan(inside.folder / "params.yaml")


def _command(plan, stage, inputs, outputs, **cell):
    spec = job_spec(plan, stage, {**CELL, **cell})
    inputs = {name: Path(path) for name, path in inputs.items() if path}
    return Command(stage, json.loads(spec.config), spec.code, inputs, outputs)


class Killer:
    """Runs jobs in `folder`: once unbroken, and again and again with kills in between."""

    def __init__(self, folder, seed):
        self.folder, self.dice = folder, random.Random(seed)
        self.log = folder / "log"
        self.n_jobs = 0

    def run(self, command, n_kills):
        """The outputs of the unbroken run, which a killed one has given, too."""
        self.n_jobs += 1
        unbroken = self._into("unbroken", command)
        assert run(unbroken, self.log) == 0, self.log.read_text()
        killed = self._into("killed", command)
        before = self._n_resumed()
        # What a kill leaves to do is at least what was left, less what was done meanwhile.
        left = moments(self.log)
        for n in range(n_kills, 0, -1):
            # The first one late, so that there is something to go on from.
            first, last = (left // 2, 3 * left // 4) if n == n_kills else (1, left // n)
            moment = self.dice.randint(first, last)
            left -= moment
            assert run(killed, self.log, moment) == -signal.SIGKILL
            assert not (next(iter(killed.outputs.values())).parent / RECORD).exists()
        assert run(killed, self.log) == 0, self.log.read_text()
        for name, path in killed.outputs.items():
            assert sha256(path) == sha256(unbroken.outputs[name]), name
        assert self._n_resumed() > before, (
            f"no {command.stage} went on from where it was killed"
        )
        left_behind = [p for p in path.parent.rglob("*") if p.is_file()]
        assert {p.name for p in left_behind} == {*command.outputs.values(), RECORD}
        return unbroken.outputs

    def _n_resumed(self):
        return self.log.read_text().count("going on from the working checkpoint")

    def _into(self, name, command):
        folder = self.folder / f"{self.n_jobs}-{command.stage}" / name
        outputs = {key: folder / file for key, file in command.outputs.items()}
        return replace(command, outputs=outputs)


STUDENT = {"student": "student.safetensors", "history": "history.jsonl"}
DISTILLED = {"state": "lambda.safetensors", **STUDENT}
WARM = {
    "cache": "cache.safetensors",
    "warm": "warm.safetensors",
    "history": "history.jsonl",
}
TRAINED = {"weights": "teacher.safetensors", "history": "history.jsonl"}
HARDENED = {
    "hard": "hard.npz", "manifest": "manifest.json", "preview": "preview.png",
    "history": "history.jsonl",
}  # fmt: skip
DATASET = "results/fetch/digits/dataset.npz"


def _kill_supervised(plan, killer, stage, n_kills):
    files, outputs = {"dataset": DATASET}, HARDENED
    if stage == "teacher":
        files |= {"poisoned": "results/poison/digits/badnet_sq/poisoned.npz", "test": TEST}
        outputs = TRAINED
    killer.run(_command(plan, stage, files, outputs), n_kills)


def _kill_students(plan, killer, source, n_kills):
    """Each stage goes on from what the unbroken run of the one before it gave."""
    common = {"teacher": TEACHER, "pool": pool_path(source, "digits")}
    watched = {**common, "monitor": TEST}

    def kill(stage, inputs, outputs, **cell):
        command = _command(plan, stage, inputs, outputs, source=source, **cell)
        return killer.run(command, n_kills)

    warm = kill("surrogate", common, WARM)["warm"]
    plain = kill("distill", {**watched, "warm": warm}, DISTILLED, guard="plain")
    kill("retrospect", {**watched, "state": plain["state"]}, STUDENT, defense="sr")
    first = kill("distill", watched, DISTILLED, guard="first")
    kill("retrospect", {**watched, "state": first["state"]}, STUDENT, defense="sv_sr")


# Of each of the 22 kinds of job three kills, or eight: 176.
N_KILLS = pytest.mark.parametrize("n_kills", [3, pytest.param(8, marks=pytest.mark.slow)])


@N_KILLS
@pytest.mark.parametrize("stage", ["harden", "teacher"])
def test_a_killed_classifier_ends_with_the_same_bytes(plan, stage, n_kills, tmp_path):
    _kill_supervised(plan, Killer(tmp_path, f"{stage}/{n_kills}"), stage, n_kills)


@N_KILLS
@pytest.mark.parametrize("source", SOURCES)
def test_killed_students_end_with_the_same_bytes(plan, source, n_kills, tmp_path):
    """The stages surrogate, distill and retrospect, without a vaccine and with one."""
    _kill_students(plan, Killer(tmp_path, f"{source}/{n_kills}"), source, n_kills)
