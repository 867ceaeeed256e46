"""Both remedies in somebody else's loop, and the loop that the documentation shows."""

import copy
import re
from pathlib import Path

import pytest
import torch
import yaml

from abd.nets import build_net
from abd.plugin import CONSTANTS, SelfRetrospection, ShufflingVaccine
from abd.seeding import torch_stream

PAGE = Path(__file__).parents[1] / "docs/plug-in.md"


@pytest.fixture
def x():
    return torch.randn(24, 3, 16, 16, generator=torch_stream(0, "tests", "plug-in"))


def test_the_loop_of_the_documentation_runs_and_uses_both():
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    said = {"retrospected": 0}
    spied = SelfRetrospection.add_gradients

    def counting(self, student, x, *, step):
        said["retrospected"] += 1
        spied(self, student, x, step=step)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SelfRetrospection, "add_gradients", counting)
        scope = {}
        exec(compile(code, str(PAGE), "exec"), scope)
    assert torch.isfinite(scope["losses"]).all()
    assert (scope["vaccine"] is None) == (said["retrospected"] == scope["LAST"])
    ours = [line for line in code.splitlines() if "vaccine" in line or "retrospect" in line]
    assert len([line for line in ours if "import" not in line]) < 10


def test_a_suspicious_image_is_one_whose_class_survives(teacher, x):
    vaccine = ShufflingVaccine(teacher, n_conv=2, members=2)
    mask = vaccine.suspicious(x)
    assert mask.dtype == torch.bool
    weights = vaccine.weights(x, 0.25)
    assert torch.equal(weights, torch.where(mask, 0.25, 1.0))


def test_a_search_takes_what_passes_the_threshold(teacher, x):
    found = ShufflingVaccine.search(teacher, x.split(8), threshold=-1.0, n_conv=2, trials=3)
    first = ShufflingVaccine(teacher, n_conv=2)
    assert torch.equal(found.suspicious(x), first.suspicious(x))
    none = ShufflingVaccine.search(teacher, x.split(8), threshold=1.0, n_conv=2, trials=3)
    assert none is None


def test_a_generator_is_led_away_from_stable_images(teacher, x):
    x.requires_grad_()
    term = ShufflingVaccine(teacher, n_conv=2).generator_term(x)
    assert term <= 0
    (slope,) = torch.autograd.grad(term, x)
    assert torch.isfinite(slope).all()


def test_retrospection_adds_to_the_gradients_that_are_there(teacher, student, x):
    student.train()
    student(x).square().mean().backward()
    before = [p.grad.clone() for p in student.parameters()]
    weights = copy.deepcopy(student.state_dict())
    SelfRetrospection(teacher, rounds=2, seed=1).add_gradients(student, x, step=3)
    added = [p.grad - b for p, b in zip(student.parameters(), before, strict=True)]
    assert any(bool((a != 0).any()) for a in added)
    again = build_net("wrn-10-1", 4).train()  # another process, which goes on at that step
    again.load_state_dict(weights)
    SelfRetrospection(teacher, rounds=2, seed=1).add_gradients(again, x, step=3)
    for parameter, gradient in zip(again.parameters(), added, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-3, atol=1e-5)


def test_constants_left_out_are_those_of_the_study_for_zskt():
    study = yaml.safe_load((PAGE.parents[1] / "params.yaml").read_text("utf-8"))
    section = study["retrospect"]
    own = {
        k: v for k, v in CONSTANTS.items() if k not in ("tau", "weight", "portion", "bn")
    }
    assert own == {k: section[k] for k in own}
    assert CONSTANTS["portion"] == section["zskt"]["portion"]
    assert CONSTANTS["weight"] == section["zskt"]["weight"]
    assert CONSTANTS["tau"] == study["distill"]["zskt"]["tau"]


def test_wrong_constants_are_named(teacher):
    with pytest.raises(ValueError, match=r"constants: expected portion, .*, got rouns"):
        SelfRetrospection(teacher, rouns=3)
    with pytest.raises(ValueError, match="n_conv: expected 1 to"):
        ShufflingVaccine(teacher, n_conv=99)


@pytest.mark.parametrize(
    "constants",
    [
        {"perturb": "studnet"},
        {"reduction": "sum"},
        {"bn": "none"},
        {"portion": 7},
        {"rho": 1},
    ],
)
def test_constants_that_are_none_are_refused(teacher, constants):
    (name,) = constants
    with pytest.raises(ValueError, match=f"expected.*got|{name}: expected"):
        SelfRetrospection(teacher, **constants)


def test_a_teacher_that_would_change_is_refused(teacher, x):
    learning = copy.deepcopy(teacher).train()
    for make in (SelfRetrospection, ShufflingVaccine):
        with pytest.raises(
            ValueError, match=r"call teacher.eval\(\).requires_grad_\(False\)"
        ):
            make(learning)
    with pytest.raises(ValueError, match="frozen"):
        ShufflingVaccine.search(learning, [x])


def test_a_search_without_images_or_trials_is_refused(teacher, x):
    with pytest.raises(ValueError, match="batches: expected"):
        ShufflingVaccine.search(teacher, [])
    with pytest.raises(ValueError, match="trials: expected at least 1"):
        ShufflingVaccine.search(teacher, [x], trials=0)


def test_a_student_in_eval_mode_is_refused(teacher, student, x):
    """It would solve another problem, by statistics of the past."""
    with pytest.raises(ValueError, match=r"in train mode; call student\.train\(\)"):
        SelfRetrospection(teacher).add_gradients(student.eval(), x, step=0)


def test_a_student_without_anything_to_learn_is_refused(teacher, student, x):
    student.train().requires_grad_(False)
    with pytest.raises(ValueError, match="student: expected parameters"):
        SelfRetrospection(teacher).add_gradients(student, x, step=0)


def test_parameters_that_do_not_learn_are_left_alone(teacher, student, x):
    """And the others get what they would get beside them."""
    whole = copy.deepcopy(student).train()
    student.train().linear.bias.requires_grad_(False)
    for net in (whole, student):
        SelfRetrospection(teacher).add_gradients(net, x, step=0)
    expected = dict(whole.named_parameters())
    assert student.linear.bias.grad is None
    for name, parameter in student.named_parameters():
        if parameter.requires_grad:
            torch.testing.assert_close(parameter.grad, expected[name].grad)
