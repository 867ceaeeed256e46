"""The supervised loop that trains a teacher, the attacker's work (method section 4)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from abd.augment import random_crop, random_hflip
from abd.compiling import compiled_with_gradient, with_gradient
from abd.cuda_graph import Graphed
from abd.errors import AbdError
from abd.history import Record
from abd.optim import OptimizerSpec
from abd.pixels import Normalization
from abd.seeding import torch_stream
from abd.state import State

# Called with the network, an augmented batch, its labels and the epoch's stream; gives
# the pixels to learn from in its place.
Craft = Callable[[nn.Module, Tensor, Tensor, torch.Generator], Tensor]


@dataclass
class _Pass:
    """An epoch under way: its draws, its batches, how many are done."""

    stream: torch.Generator
    batches: tuple[Tensor, ...]
    done: int = 0


class Training:
    """Trains a network on pixels (N, 3, H, W) uint8 and labels (N,) with cross-entropy.

    One epoch is a shuffled pass with random crops (and flips), the last incomplete
    batch dropped. `position` counts epochs, the learning rate follows it; the state can be
    saved between any two batches. `judge` gives
    an epoch's figures; with `select_best` the weights of the epoch with the highest "acc",
    and of several such with the highest "asr", are kept in `best_net`, else those of the
    last. With `craft` the network learns from what that makes of each batch: adversarial
    training. With `graphed`, on a CUDA device, a batch's work is recorded and replayed as
    a graph; with `compiled`, on a CPU, the loss and its gradient are compiled.
    """

    def __init__(
        self,
        net: nn.Module,
        pixels: Tensor,
        labels: Tensor,
        normalize: Normalization,
        optimizer: OptimizerSpec,
        *,
        seed: int,
        batch: int,
        crop_pad: int,
        hflip: bool,
        judge: Callable[[nn.Module], dict[str, float]],
        select_best: bool,
        craft: Craft | None = None,
        graphed: bool = False,
        compiled: bool = False,
    ) -> None:
        if len(pixels) < batch:
            raise ValueError(f"batch: expected at most {len(pixels)}, got {batch}")
        self.net = net
        self.pixels, self.labels = pixels, labels
        self.normalize = normalize
        self.spec = optimizer
        self.optimizer = optimizer.build(net.parameters(), capturable=graphed)
        self.seed, self.batch = seed, batch
        self.crop_pad, self.hflip = crop_pad, hflip
        self.judge, self.select_best = judge, select_best
        self.craft = craft
        self.graphed = graphed
        self.position = 0
        self._pass: _Pass | None = None
        self._loss = torch.zeros((), device=pixels.device)  # of the epoch, summed
        learning = compiled_with_gradient if compiled else with_gradient
        self._gradient = learning(self._loss_of)
        self._learn = self._learning()
        self.best = [-1.0, 0.0]
        self.best_net: dict[str, Tensor] = {}

    def run(self, stop: int) -> Iterator[Record | None]:
        """Train until `position` is `stop`, yielding after each batch, and each epoch.

        Yields one record per epoch, else None. Raises AbdError where the loss is no longer
        finite.
        """
        while self.position < stop:
            self.net.train()
            self.spec.set_lr(self.optimizer, self.position)
            self._pass = epoch = self._pass or self._begun()
            while epoch.done < len(epoch.batches):
                self._step(epoch)
                yield None
            values = {"loss": self._mean_loss(epoch), **self.judge(self.net)}
            self._pass = None
            self.position += 1
            merit = [values.get("acc", 0.0), values.get("asr", 0.0)]
            if merit > self.best or not self.select_best:
                self.best = merit
                self.best_net = {k: v.clone() for k, v in self.net.state_dict().items()}
            yield Record(self.position, values)

    def _begun(self) -> _Pass:
        stream = torch_stream(self.seed, "training", self.position)
        order = torch.randperm(len(self.pixels), generator=stream)
        n = len(order) // self.batch * self.batch
        batches = order[:n].to(self.pixels.device).split(self.batch)
        self._loss.zero_()
        return _Pass(stream, batches)

    def _step(self, epoch: _Pass) -> None:
        idx = epoch.batches[epoch.done]
        pixels = random_crop(self.pixels[idx], self.crop_pad, epoch.stream)
        if self.hflip:
            pixels = random_hflip(pixels, epoch.stream)
        if self.craft is not None:
            pixels = self.craft(self.net, pixels, self.labels[idx], epoch.stream)
        self._learn(pixels, self.labels[idx])
        epoch.done += 1

    def _learning(self) -> Callable[[Tensor, Tensor], None]:
        """What learns from a batch; the optimizer's state must stay where it is."""
        return Graphed(self._learn_eagerly) if self.graphed else self._learn_eagerly

    def _learn_eagerly(self, pixels: Tensor, labels: Tensor) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        loss = self._gradient(self.normalize(pixels), labels)
        self.spec.step(self.optimizer)
        self._loss += loss

    def _loss_of(self, x: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(self.net(x), labels)

    def _mean_loss(self, epoch: _Pass) -> float:
        mean = self._loss.item() / epoch.done
        if not torch.isfinite(self._loss):
            raise AbdError(
                f"training: expected a finite loss, got {mean} in epoch {self.position}; "
                "lower the learning rate"
            )
        return mean

    def state(self) -> State:
        """The complete state: network, optimizer, best network, and how far it got."""
        state = State(values={"position": self.position, "best": self.best})
        state.put_net("net", self.net)
        state.put("best", self.best_net)
        state.put_optimizer("optimizer", self.optimizer)
        if self._pass is not None:
            state.values["done"] = self._pass.done
            stream = self._pass.stream.get_state()
            state.put("epoch", {"stream": stream, "loss": self._loss})
        return state

    def load(self, state: State) -> None:
        """Go on from `state`."""
        self.position, self.best = state.values["position"], state.values["best"]
        state.get_net("net", self.net)
        self.best_net = state.get("best")
        state.get_optimizer("optimizer", self.optimizer)
        self._learn = self._learning()  # what was recorded is of other tensors
        self._pass = None
        if "done" in state.values:
            self._pass = self._begun()
            self._pass.done = state.values["done"]
            self._pass.stream.set_state(state.tensors["epoch/stream"])
            self._loss.copy_(state.tensors["epoch/loss"])
