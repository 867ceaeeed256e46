"""A source and a network from somebody else's package, through the whole DAG."""

import json

import pytest

SOURCE = """
from typing import ClassVar

import torch

from abd.config.fields import Count, Rate
from abd.config.sources import SourceSettings
from abd.losses import mean_kl
from abd.optim import OptimizerSpec
from abd.schedules import cosine
from abd.seeding import torch_stream
from abd.sources.base import Batch


class TinyNet(torch.nn.Sequential):
    def __init__(self, num_classes):
        conv = torch.nn.Conv2d(3, 4, 3, stride=2, padding=1)
        norm = torch.nn.BatchNorm2d(4)
        super().__init__(conv, norm, torch.nn.Flatten(1), torch.nn.Linear(256, num_classes))


class NoiseSettings(SourceSettings):
    build: ClassVar[str] = "noise_source:NoiseSource"
    length: ClassVar[str] = "steps"
    steps: Count
    lr: Rate

    def rounds_per_epoch(self, n_pool):
        return 1


class NoiseSource:
    def __init__(self, context, pool, *, batch, tau, lr):
        assert not pool
        self.context, self.batch, self.tau = context, batch, tau
        self.optimizer = OptimizerSpec("adam", cosine(lr, context.rounds))

    @torch.no_grad()
    def batches(self, index, student):
        stream = torch_stream(self.context.seed, "noise", index)
        size = self.context.size
        x = torch.randn(self.batch, 3, size, size, generator=stream)
        yield Batch(x, self.context.teacher(x))

    def loss(self, student, batch):
        return mean_kl(batch.teacher_logits, student(batch.x), self.tau)

    def save(self, state):
        pass

    def load(self, state):
        pass
"""
PARAMS = {
    "experiments": {
        "demo": {
            "title": "noise",
            "grids": [
                {
                    "dataset": "digits",
                    "triggers": ["badnet_sq"],
                    "teacher": "wrn-10-1",
                    "student": "noise_source:TinyNet",
                    "sources": ["noise"],
                    "defenses": ["abd"],
                    "teacher_seed": 0,
                    "seeds": [0],
                }
            ],
        }
    },
    "surrogate": {"warm": {"noise": 4}, "skip": {"noise": 1}},
    "distill": {
        "noise": {
            "log_every": 3,
            "eval_every": 3,
            "batch": 16,
            "tau": 2.0,
            "steps": 9,
            "lr": 0.001,
        }
    },
    "retrospect": {"noise": {"last": 3, "lr": 0.001, "portion": 0.5, "weight": 1.0}},
}


@pytest.fixture
def installed(tmp_path):
    """The folder of an installed package with one source in it."""
    site = tmp_path / "site"
    info = site / "noise_source-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "noise_source.py").write_text(SOURCE)
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: noise-source\nVersion: 1.0\n"
    )
    (info / "entry_points.txt").write_text(
        "[abd.sources]\nnoise = noise_source:NoiseSettings\n"
    )
    return site


KEY = "digits/badnet_sq/wrn-10-1-t0/noise/noise_source:TinyNet-s0"


def test_foreign_members_go_through_the_dag(copied, installed):
    """All that deals with a source: the cache, the search, distillation with SR."""
    copied.edit(PARAMS)
    wanted = f"results/retrospect/{KEY}/abd/student.safetensors"
    copied.snakemake("--", wanted, PYTHONPATH=str(installed))
    assert (copied.folder / wanted).is_file()
    record = json.loads(
        (copied.folder / f"results/distill/{KEY}/plain/record.json").read_text()
    )
    assert record["facts"] == {"rounds": 5}
    member = {"module": "noise_source", "plugin": "noise-source 1.0"}
    assert member in record["config"]["members"]


def test_without_the_package_the_name_is_refused(copied):
    copied.edit(PARAMS)
    done = copied.snakemake("-n", check=False)
    assert done.returncode == 1
    assert "sources: expected one of clean, cmi, ood, zskt, got 'noise'" in done.stderr


def test_networks_that_do_not_suit_are_refused_before_any_job(copied, installed):
    """One without stages and with one convolution; and one that is not whole."""
    broken = "\n\nclass Broken(TinyNet):\n    def forward(self, x):\n        return x\n"
    source = installed / "noise_source.py"
    source.write_text(source.read_text() + broken)
    copied.edit(PARAMS)
    grid = {**PARAMS["experiments"]["demo"]["grids"][0], "teacher": "noise_source:TinyNet"}
    other = {**grid, "teacher": "noise_source:Broken"}
    copied.edit(
        {
            "experiments": {"demo": {"grids": [grid, other]}},
            "vaccine": {"n_conv": "last_stage"},
        }
    )
    done = copied.snakemake("-n", check=False, PYTHONPATH=str(installed))
    assert done.returncode == 1
    assert "2 problem(s); nothing was started" in done.stderr
    assert (
        "vaccine.n_conv: expected a number for noise_source:TinyNet, which names no stages"
        in done.stderr
    )
    assert "expected logits (2, 10) of images (2, 3, 16, 16), got" in done.stderr
