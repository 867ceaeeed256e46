"""Stage verdict: what can be said of a teacher and its students without any trigger.

Looks at surrogate images alone. Which networks, which pictures and how much they flip is
written as it was found; what it means is said where it is shown (`abd.purify.sentences`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from abd.diversity import effective_classes
from abd.errors import AbdError
from abd.nets import build_net
from abd.pixels import Normalization
from abd.retrospection import RetrospectionSettings, SelfRetrospection
from abd.seeding import torch_stream
from abd.shuffling import Permutations, agreement
from abd.stages.distilling import draw, load_teacher
from abd.stages.job import Job
from abd.stages.load import normalization, place, use_numerics
from abd.storage.arrays import read_arrays, write_arrays
from abd.storage.checkpoints import read_net, read_tensors
from abd.storage.files import read_json, write_json
from abd.survival import (
    CHUNK,
    Moved,
    SearchSettings,
    moved_shares,
    moved_to,
    score_of,
    survivors,
)


def run(job: Job) -> None:
    """Move shuffled teachers, perturb all three networks, and show what was flagged."""
    config, settings = job.config, job.config["verdict"]
    device = use_numerics(config["numerics"])
    normalize = normalization(job)
    teacher = load_teacher(job, device)
    cache, _ = read_tensors(job.inputs["cache"])
    seed = config["seed"]
    x = _inputs(choose(cache["images"], settings, seed), normalize, device)
    trials = [draw(job, teacher, trial) for trial in range(settings["draws"])]
    moved = look(teacher, trials, x, settings, seed)
    nets = {
        "teacher": teacher,
        "undefended": _student(job, "plain", device),
        "purified": _student(job, "student", device),
    }
    logits = {name: _logits(net, x) for name, net in nets.items()}
    found = {
        name: _retrospected(net, teacher, x, logits[name], config)
        for name, net in nets.items()
    }
    divergences = [one.divergence for one in moved]
    if not np.isfinite(divergences).all():
        raise AbdError(
            f"verdict: expected finite answers of the shuffled teacher, got divergences "
            f"{divergences}; lower verdict.radius"
        )
    vaccine = read_json(job.inputs["vaccine"])
    write_json(
        job.outputs["verdict"],
        {
            "n_images": len(x),
            "n_judged": len(x) - len(x) // 2,
            "n_classes": config["images"]["n_classes"],
            "classes_seen": effective_classes(logits["teacher"]).item(),
            "score": score_of(moved),
            "divergences": divergences,
            "moved_to": moved_to(moved),
            "vaccine": vaccine,
            "decision": read_json(job.inputs["decision"]),
            "agreement": {
                name: agreement(logits["teacher"], logits[name]).float().mean().item()
                for name in ("undefended", "purified")
            },
            "perturbations": {name: record for name, (_, record) in found.items()},
        },
    )
    flagged, scores = _flagged(job, cache["images"], vaccine, settings["n_shown"])
    write_arrays(
        job.outputs["pictures"],
        flagged=flagged if flagged.dtype == np.uint8 else _pixels(flagged, normalize),
        flagged_scores=scores,
        shuffled=moved[0].delta.cpu().numpy(),
        **{name: delta.cpu().numpy() for name, (delta, _) in found.items()},
    )


def choose(images: Tensor, settings: Mapping[str, Any], seed: int) -> Tensor:
    """Of the cached images (N, 3, H, W) those that a verdict looks at."""
    stream = torch_stream(seed, "verdict", "images")
    return images[torch.randperm(len(images), generator=stream)[: settings["n_images"]]]


def look(
    teacher: nn.Module,
    trials: Sequence[Sequence[Permutations]],
    x: Tensor,
    settings: Mapping[str, Any],
    seed: int,
) -> list[Moved]:
    """Look for the pictures whose divergences make the score, by the section `verdict`."""
    search = SearchSettings(**{f.name: settings[f.name] for f in fields(SearchSettings)})
    stream = torch_stream(seed, "verdict", "survivors")
    return survivors(teacher, trials, x, search, stream)


def _student(job: Job, name: str, device: torch.device) -> nn.Module:
    config = job.config
    net = build_net(config["student_net"], config["images"]["n_classes"])
    read_net(job.inputs[name], net)
    return place(net, device).eval().requires_grad_(False)


def _inputs(images: Tensor, normalize: Normalization, device: torch.device) -> Tensor:
    """What a network is given of cached images: those of a generator are it already."""
    images = images.to(device)
    return normalize(images) if images.dtype == torch.uint8 else images


@torch.no_grad()
def _logits(net: nn.Module, x: Tensor) -> Tensor:
    return torch.cat([net(part) for part in x.split(CHUNK)])


def _retrospected(
    net: nn.Module,
    teacher: nn.Module,
    x: Tensor,
    logits: Tensor,
    config: Mapping[str, Any],
) -> tuple[Tensor, dict[str, Any]]:
    """The perturbation that self-retrospection finds in a network, and what it does.

    Found on the first half of the images, or the first CHUNK of them where those are more;
    counted on the second. logits: of the network for all images x, (N, K).
    """
    half = len(x) // 2
    settings = RetrospectionSettings(**config["retrospection"])
    stream = torch_stream(config["seed"], "verdict", "retrospection")
    delta = SelfRetrospection(settings, teacher).perturbation(net, x[:half][:CHUNK], stream)
    shares = moved_shares(logits[half:], _logits(net, x[half:] + delta))
    norm = float(delta.square().mean().sqrt())
    return delta, {"norm": norm, "flipped": sum(shares), "flipped_to": shares}


def _flagged(
    job: Job, images: Tensor, vaccine: Mapping[str, Any], n: int
) -> tuple[np.ndarray, np.ndarray]:
    """The cached images of the smallest scores, and these, under the draw that was taken.

    Where none was, under the one with the heaviest tail.
    """
    rows = read_arrays(job.inputs["scores"])["scores"]
    ratios = [trial["ratio"] for trial in vaccine["trials"]]
    row = rows[vaccine["trial"] if vaccine["found"] else int(np.argmax(ratios))]
    idx = np.argsort(row, kind="stable")[:n]
    return images[torch.from_numpy(idx)].numpy(), row[idx]


def _pixels(x: np.ndarray, normalize: Normalization) -> np.ndarray:
    """Normalised inputs (N, 3, H, W) as pixels, cut where they are outside the range."""
    mean, std = (np.reshape(row, (3, 1, 1)) for row in (normalize.mean, normalize.std))
    return np.clip(np.rint((x * std + mean) * 255), 0, 255).astype(np.uint8)
