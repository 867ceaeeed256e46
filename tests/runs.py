"""Runs of every kind of work that can be made quicker, for tests that compare them."""

import copy
import shutil
import sysconfig
from pathlib import Path

import numpy as np
import torch

from abd.compiler import compiler
from abd.distillation import Distillation
from abd.nets import build_net
from abd.optim import OptimizerSpec
from abd.pixels import Normalization, to_pixels
from abd.schedules import cosine
from abd.seeding import numpy_stream, torch_stream
from abd.shuffling import ShuffledTeacher, draw_trial
from abd.training import Training
from tests.test_sources import build_source

KINDS = ["clean", "ood", "zskt", "zskt with a vaccine", "ood with a vaccine", "teacher"]
N_CYCLES = 12
NORMALIZE = Normalization((0.3, 0.4, 0.5), (0.2, 0.25, 0.3))


def can_compile():
    """Whether this machine has what torch's compiler wants."""
    headers = Path(sysconfig.get_path("include"), "Python.h")
    return shutil.which(compiler()) is not None and headers.is_file()


def wrn(stream):
    """The network that learns, if nothing else is said."""
    return build_net("wrn-10-1", 4, stream)


def make_run(kind, teacher, device, net=wrn, **acceleration):
    """A run of one of KINDS, or of another source, from its start; `net` makes who learns."""
    stream = numpy_stream(0, "tests", "runs")
    images = stream.integers(0, 256, (40, 16, 16, 3)).astype(np.uint8)
    labels = stream.integers(0, 4, 40)
    if kind == "teacher":
        return Training(
            _placed(net(torch_stream(0, "net")), device),
            to_pixels(images).to(device), torch.from_numpy(labels).to(device), NORMALIZE,
            OptimizerSpec("sgd", cosine(0.1, N_CYCLES), 0.9, 5e-4), seed=0, batch=16,
            crop_pad=2, hflip=True, judge=lambda net: {}, select_best=False, **acceleration,
        )  # fmt: skip
    mine = _placed(copy.deepcopy(teacher), device)
    vaccine = None
    if "vaccine" in kind:
        vaccine = ShuffledTeacher(mine, draw_trial(mine, 2, 3, torch_stream(0, "v")))
    source = build_source(
        kind.split()[0],
        {"patches": images, "x_train": images, "y_train": labels},
        mine,
        NORMALIZE,
        device=device,
        graphed=acceleration.get("graphed", False),
        vaccine=vaccine,
    )
    student = _placed(net(torch_stream(0, "student")), device)
    return Distillation(student, source, seed=0, log_every=2, **acceleration)


def finish(run, stop):
    """Run until `stop`; return the losses that it recorded, and all tensors of its state."""
    records = [r.values["loss"] for r in run.run(stop) if r is not None]
    return records, {k: v.clone() for k, v in run.state().tensors.items()}


def different(ones, others):
    """Names of the tensors that are not the same to the bit."""
    assert ones.keys() == others.keys()
    return [k for k in ones if not torch.equal(ones[k], others[k])]


def _placed(net, device):
    return net.to(device=device, memory_format=torch.channels_last)
