"""The 224-pixel pair, ResNet-34 to ResNet-18: a whole ZSKT cycle with vaccine and SR."""

import dataclasses

import torch

from abd.distillation import Distillation
from abd.nets import build_net
from abd.retrospection import SelfRetrospection
from abd.seeding import torch_stream
from abd.shuffling import ShuffledTeacher, draw_trial
from abd.sources.base import Context
from abd.sources.zskt import ZsktSource
from tests.test_retrospection import SETTINGS as SR


def test_a_cycle_with_vaccine_and_retrospection(normalize):
    teacher = build_net("resnet-34", 7, torch_stream(0, "teacher"))
    teacher.eval().requires_grad_(False)
    student = build_net("resnet-18", 7, torch_stream(0, "student"))
    before = {k: v.clone() for k, v in student.named_parameters()}
    vaccine = ShuffledTeacher(teacher, draw_trial(teacher, 5, 2, torch_stream(0, "sv")))
    assert vaccine.n_shared == 1 + 3 + 4 + 6, "the last stage alone is run for each copy"
    context = Context(
        teacher, normalize, torch.device("cpu"), size=224, n_classes=7, seed=0, rounds=2,
        vaccine=vaccine,
    )  # fmt: skip
    source = ZsktSource(
        context, {}, batch=2, tau=1.0, nz=8, generator_steps=1, student_steps=1,
        lr_generator=1e-3, lr=2e-3, clip_norm=5.0, at_beta=250.0,
    )  # fmt: skip
    sr = SelfRetrospection(dataclasses.replace(SR, rounds=1, n_terms=2), teacher)
    distillation = Distillation(student, source, seed=0, log_every=1, extra=sr.step)
    (record,) = distillation.run(1)
    assert 0 < record.values["loss"] < 1e6
    assert all(not torch.equal(before[k], v) for k, v in student.named_parameters())
    assert not distillation.state().not_finite()
