"""What the score of `abd purify` is worth: clean and backdoored teachers of the digits.

`python tools/calibrate_verdict.py` trains them as params.yaml has it, keeps them below
work/calibration, and writes every score to src/abd/purify/calibration.json, where verdicts
look them up. Stopped, it goes on with the next teacher. `--part 0 2` trains every second
one and writes nothing: two processes share the work.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from abd.config import load_plan
from abd.config.schema import Settings
from abd.config.study import Numerics
from abd.data.arrays import ArrayDataset
from abd.data.digits import load_digits
from abd.data.raw import Raw
from abd.metrics import EvalSet, evaluate
from abd.nets import build_net
from abd.nets.folding import folded
from abd.pixels import Normalization, to_pixels
from abd.poisoning import poison_samples, stamp_test_set
from abd.purify.calibration import shaping
from abd.registry import load_object
from abd.seeding import torch_stream
from abd.shuffling import draw_trial
from abd.sources.base import Context
from abd.stages.load import place, use_numerics
from abd.stages.patches import cut
from abd.stages.supervised import make_training
from abd.stages.verdict import choose, look
from abd.storage.checkpoints import read_net, write_net
from abd.storage.files import write_json
from abd.survival import score_of
from abd.triggers import build_trigger

DATASET, NET, SOURCE = "digits", "wrn-16-2", "ood"
TRIGGERS = ("badnet_sq", "badnet_grid", "trojan_wm", "blend", "l2_inv")
# None that was looked at when the score was chosen: those were 0 to 2, and 100 to 114.
SEEDS, CLEAN_SEEDS = range(3, 6), range(200, 215)
FOLDER = Path("work/calibration")
OUT = Path("src/abd/purify/calibration.json")
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Teacher:
    """One of the teachers; `trigger` is None for a clean one."""

    trigger: str | None
    target: int | None
    seed: int

    @property
    def name(self) -> str:
        """What its file is called."""
        return f"{self.trigger or 'clean'}-{self.seed}"


def teachers() -> list[Teacher]:
    """All of them; the targets differ from seed to seed, as do the clean ones' weights."""
    backdoored = [
        Teacher(trigger, (3 * seed + 1) % 10, seed)
        for seed in SEEDS
        for trigger in TRIGGERS
    ]
    return [*backdoored, *(Teacher(None, None, seed) for seed in CLEAN_SEEDS)]


def train(teacher: Teacher, settings: Settings, data: ArrayDataset) -> nn.Module:
    """Train it, or read it where that was done before; print its figures."""
    path = FOLDER / f"{teacher.name}.safetensors"
    if path.is_file():
        return read_net(path, build_net(NET, len(data.class_names)))
    images, labels, stamped = data.x_train.copy(), data.y_train.copy(), data.x_test[:1]
    if teacher.trigger is not None:
        assert teacher.target is not None
        trigger = build_trigger(teacher.trigger, settings.fetch.size)
        poisoned = poison_samples(
            images, labels, trigger, teacher.target,
            settings.poison.rate, settings.poison.holdout,
        )  # fmt: skip
        images[poisoned.idx], labels[poisoned.idx] = poisoned.images, poisoned.labels
        stamped = stamp_test_set(data.x_test, data.y_test, trigger, teacher.target)
    test = EvalSet(
        to_pixels(data.x_test), torch.from_numpy(data.y_test), to_pixels(stamped),
        teacher.target or 0, normalization(settings),
    )  # fmt: skip
    init = torch_stream(teacher.seed, "teacher", "init")
    net = place(build_net(NET, len(data.class_names), init), CPU)
    training = make_training(
        settings.teacher.model_dump(), net, images, labels, normalization(settings),
        seed=teacher.seed, judge=lambda net: {"acc": evaluate(net, test).acc},
        select_best=settings.teacher.select == "best",
    )  # fmt: skip
    for _ in training.run(settings.teacher.epochs):
        pass
    net.load_state_dict(training.best_net)
    counts = evaluate(net, test)
    asr = f", ASR {counts.asr:.3f}" if teacher.trigger else ""
    print(f"{teacher.name}: Acc {counts.acc:.3f}{asr}", flush=True)
    FOLDER.mkdir(parents=True, exist_ok=True)
    write_net(path, net)
    return net


def normalization(settings: Settings) -> Normalization:
    """That of the data set."""
    assert settings.fetch.mean is not None
    assert settings.fetch.std is not None
    return Normalization(settings.fetch.mean, settings.fetch.std)


def cached_images(settings: Settings, net: nn.Module) -> Tensor:
    """The images that stage surrogate caches for seed 0, as the verdict takes them."""
    patches = cut(settings.patches.model_dump(), settings.fetch.size)
    context = Context(
        net, normalization(settings), CPU, size=settings.fetch.size,
        n_classes=settings.fetch.n_classes, seed=0, rounds=1,
    )  # fmt: skip
    of = settings.distill.of(SOURCE)
    source = load_object(of.build)(context, {"patches": patches}, **of.arguments())
    rounds = range(settings.surrogate.skip[SOURCE], settings.surrogate.warm[SOURCE])
    images = torch.cat([source.prepare(i)[0] for i in rounds])
    return choose(images, settings.verdict.model_dump(), 0)


def score(net: nn.Module, x: Tensor, settings: Settings) -> float:
    """The score of the verdict, of seed 0."""
    teacher = folded(net.eval().requires_grad_(False))
    vaccine, own = settings.vaccine, settings.verdict.model_dump()
    trials = [
        draw_trial(teacher, vaccine.n_conv, vaccine.members, torch_stream(0, "vaccine", i))
        for i in range(own["draws"])
    ]
    return score_of(look(teacher, trials, x, own, 0))


def main(arguments: list[str]) -> None:
    """Train the teachers, or a part of them; score all where there is no part."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", type=int, nargs=2, metavar=("I", "N"), default=None)
    part = parser.parse_args(arguments).part
    plan = load_plan(Path("params.yaml"))
    settings, data = plan.settings[DATASET], load_digits(Raw())
    numerics: Numerics = plan.top.numerics
    use_numerics(numerics.model_dump())
    if part is not None:
        for teacher in teachers()[part[0] :: part[1]]:
            train(teacher, settings, data)
        return
    x, rows = None, []
    for teacher in teachers():
        net = place(train(teacher, settings, data), CPU)
        if x is None:
            x = normalization(settings)(cached_images(settings, net))
        rows.append({**asdict(teacher), "score": score(net, x, settings)})
        print(f"{teacher.name}: score {rows[-1]['score']:.3f}", flush=True)
    about = {"dataset": DATASET, **shaping(NET, SOURCE, settings)}
    write_json(OUT, {"about": about, "teachers": rows})
    print(f"written: {OUT}")


if __name__ == "__main__":
    main(sys.argv[1:])
