"""The one distillation loop: a student learns from a source's batches.

With a vaccine the source weighs or steers its batches; self-retrospection adds its own
gradient to every step, through `extra`. The loop yields a record now and then,
and can be saved and continued at any round with the same bits as if it had never stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn

from abd.compiling import compiled_with_gradient, with_gradient
from abd.cuda_graph import Graphed
from abd.diversity import effective_classes
from abd.errors import AbdError
from abd.gradients import add_gradients
from abd.history import Record
from abd.optim import OptimizerSpec
from abd.seeding import torch_stream
from abd.sources.base import Batch, GraphSource, Source, check_different
from abd.state import State

ExtraGradient = Callable[
    [nn.Module, Tensor, torch.Generator], AbstractContextManager[list[Tensor | None]]
]


class Distillation:
    """Distils a teacher, seen through a source, into a student.

    `position` is the number of rounds done. `optimizer` (positions counted from the start
    of the run) takes the place of the source's. `extra` is entered around every step with
    the student, the batch and a stream, and gives one gradient per parameter to add to
    that of the distillation loss. With `graphed`, on a CUDA device, the rounds of a
    `GraphSource` are recorded and replayed as a graph, unless there is an `extra`. With
    `compiled`, on a CPU, the source's loss and its gradient are compiled.
    """

    def __init__(
        self,
        student: nn.Module,
        source: Source,
        *,
        seed: int,
        log_every: int,
        optimizer: OptimizerSpec | None = None,
        extra: ExtraGradient | None = None,
        graphed: bool = False,
        compiled: bool = False,
    ) -> None:
        self.student = student
        self.source = source
        self.seed = seed
        self.log_every = log_every
        self.extra = extra
        self.spec = optimizer or source.optimizer
        self.graphed = graphed
        self.optimizer = self.spec.build(student.parameters(), capturable=graphed)
        self.position = 0
        device = next(student.parameters()).device
        self._loss = torch.zeros((), device=device)
        self._n_losses = 0
        self._graph = self._graphed()
        learning = compiled_with_gradient if compiled else with_gradient
        self._learn = learning(self._loss_of)

    def run(self, stop: int) -> Iterator[Record | None]:
        """Do rounds until `position` is `stop`, yielding after each.

        Yields a record (the mean loss since the last, and how many classes the teacher
        sees in the round's batches) every `log_every` rounds and at `stop`, else None.
        Raises AbdError where the loss is no longer finite, or a batch holds one image over
        and over.
        """
        while self.position < stop:
            due = (self.position + 1) % self.log_every == 0 or self.position + 1 == stop
            self.student.train()
            self.spec.set_lr(self.optimizer, self.position)
            batches = self._round()
            if due:
                for batch in batches:
                    if batch.pixels is None:  # a generator's, not of a pool
                        check_different(batch.x)
            self._n_losses += sum(batch.repeats for batch in batches)
            self.position += 1
            yield self._record(batches) if due and self._n_losses else None

    def _round(self) -> list[Batch]:
        """Do a round; return its batches."""
        if self._graph is None:
            return self._steps(self.source.batches(self.position, self.student))
        assert isinstance(self.source, GraphSource)
        return self._graph(*self.source.prepare(self.position))

    def _graphed(self) -> Graphed[list[Batch]] | None:
        """The rounds as a CUDA graph, if they are to be one and can be."""
        source = self.source
        if (
            not self.graphed
            or not isinstance(source, GraphSource)
            or self.extra is not None
        ):
            return None
        return Graphed(lambda *prepared: self._steps(source.cycle(self.student, *prepared)))

    def _steps(self, batches: Iterable[Batch]) -> list[Batch]:
        done = []
        for number, batch in enumerate(batches):
            for repeat in range(batch.repeats):
                self._step(batch, number, repeat)
            done.append(batch)
        return done

    def _step(self, batch: Batch, number: int, repeat: int) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        if self.extra is None:
            loss = self._learn(batch)
        else:
            stream = torch_stream(self.seed, "extra", self.position, number, repeat)
            with self.extra(self.student, batch.x, stream) as gradients:
                loss = self._learn(batch)
            add_gradients(self.student, gradients)
        self.spec.step(self.optimizer)
        self._loss += loss

    def _loss_of(self, batch: Batch) -> Tensor:
        return self.source.loss(self.student, batch)

    def _record(self, batches: Iterable[Batch]) -> Record:
        loss = self._loss.item() / self._n_losses
        if not torch.isfinite(self._loss):
            raise AbdError(
                f"distillation: expected a finite loss, got {loss} before round "
                f"{self.position}; lower the learning rate"
            )
        self._loss.zero_()
        self._n_losses = 0
        values = {"loss": loss}
        if shown := [batch.teacher_logits for batch in batches if batch.repeats]:
            values["classes"] = effective_classes(torch.cat(shown)).item()
        return Record(self.position, values)

    def state(self) -> State:
        """The complete state: student, optimizer, source, position."""
        state = State(values={"position": self.position, "n_losses": self._n_losses})
        state.put("loop", {"loss": self._loss})
        state.put_net("student", self.student)
        state.put_optimizer("optimizer", self.optimizer)
        self.source.save(state)
        return state

    def load(self, state: State, *, fresh_optimizer: bool = False) -> None:
        """Go on from `state`.

        With `fresh_optimizer` another phase begins: the saved optimizer is left aside, and
        so are the losses that were not yet recorded.
        """
        self.position = state.values["position"]
        state.get_net("student", self.student)
        if fresh_optimizer:
            self._n_losses = 0
            self._loss.zero_()
        else:
            self._n_losses = state.values["n_losses"]
            self._loss.copy_(state.tensors["loop/loss"])
            state.get_optimizer("optimizer", self.optimizer)
        self.source.load(state)
        self._graph = self._graphed()  # what was recorded is of other tensors
