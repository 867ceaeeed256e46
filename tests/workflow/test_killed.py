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
        "by_dataset": {"digits": {source: {"last": 1} for source in SOURCES}},
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

    def run(self, command, n_kills):
        """The outputs of the unbroken run, which a killed one has given, too."""
        unbroken = self._into("unbroken", command)
        assert run(unbroken, self.log) == 0, self.log.read_text()
        killed = self._into("killed", command)
        # What a kill leaves to do is at least what was left, less what was done meanwhile.
        left = moments(self.log)
        for n in range(n_kills, 0, -1):
            moment = self.dice.randint(1, 2 * left // (n + 1))
            left -= moment
            assert run(killed, self.log, moment) == -signal.SIGKILL
            assert not (next(iter(killed.outputs.values())).parent / RECORD).exists()
        assert run(killed, self.log) == 0, self.log.read_text()
        for name, path in killed.outputs.items():
            assert sha256(path) == sha256(unbroken.outputs[name]), name
        left_behind = [p for p in path.parent.rglob("*") if p.is_file()]
        assert {p.name for p in left_behind} == {*command.outputs.values(), RECORD}
        return unbroken.outputs

    def went_on(self):
        """How many times a job went on from where one was killed."""
        return self.log.read_text().count("going on from the working checkpoint")

    def _into(self, name, command):
        folder = self.folder / name / command.stage
        outputs = {key: folder / file for key, file in command.outputs.items()}
        return replace(command, outputs=outputs)


def _kill_teacher(plan, killer, n_kills):
    files = {
        "dataset": "results/fetch/digits/dataset.npz",
        "poisoned": "results/poison/digits/badnet_sq/poisoned.npz",
        "test": TEST,
    }
    outputs = {"weights": "teacher.safetensors", "history": "history.jsonl"}
    killer.run(_command(plan, "teacher", files, outputs), n_kills)


def _kill_student(plan, killer, source, n_kills):
    """Each stage goes on from what the unbroken run of the one before it gave."""
    student = {"student": "student.safetensors", "history": "history.jsonl"}
    common = {"teacher": TEACHER, "pool": pool_path(source, "digits")}
    warm = _command(
        plan, "surrogate", common,
        {"cache": "cache.safetensors", "warm": "warm.safetensors", "history": "history.jsonl"},
        source=source,
    )  # fmt: skip
    made = killer.run(warm, n_kills)
    plain = _command(
        plan, "distill", {**common, "warm": made["warm"], "monitor": TEST},
        {"state": "lambda.safetensors", **student}, source=source, guard="plain",
    )  # fmt: skip
    made = killer.run(plain, n_kills)
    retrospection = _command(
        plan, "retrospect", {**common, "state": made["state"], "monitor": TEST},
        student, source=source, defense="sr",
    )  # fmt: skip
    killer.run(retrospection, n_kills)


# Of each of the thirteen kinds of job three kills, or eight: more than a hundred.
N_KILLS = pytest.mark.parametrize("n_kills", [3, pytest.param(8, marks=pytest.mark.slow)])


@N_KILLS
def test_a_killed_teacher_ends_with_the_same_bytes(plan, n_kills, tmp_path):
    killer = Killer(tmp_path, f"teacher/{n_kills}")
    _kill_teacher(plan, killer, n_kills)
    assert killer.went_on()


@N_KILLS
@pytest.mark.parametrize("source", SOURCES)
def test_killed_students_end_with_the_same_bytes(plan, source, n_kills, tmp_path):
    """Each of the stages surrogate, distill and retrospect is killed so often."""
    killer = Killer(tmp_path, f"{source}/{n_kills}")
    _kill_student(plan, killer, source, n_kills)
    assert killer.went_on()
