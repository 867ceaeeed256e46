"""The surrogate cache: what the student saw in the first rounds (method section 6.5)."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from abd.sources.base import Batch, Source
from abd.state import State


class CachingSource:
    """A source that remembers its batches from round `skip` on.

    Images are kept as pixels where the source has them, else as network input; a batch
    counts as often as its `seen` says.
    """

    def __init__(self, source: Source, skip: int) -> None:
        self.source = source
        self.skip = skip
        self.optimizer = source.optimizer
        self.images: list[Tensor] = []
        self.weights: list[Tensor] = []

    def batches(self, index: int, student: nn.Module) -> Iterator[Batch]:
        """Yield the batches of round `index`, remembering them."""
        for batch in self.source.batches(index, student):
            if index >= self.skip and batch.seen:
                images = batch.x if batch.pixels is None else batch.pixels
                self.images.append(images.cpu())
                self.weights.append(torch.full((len(images),), float(batch.seen)))
            yield batch

    def loss(self, student: nn.Module, batch: Batch) -> Tensor:
        """Return the loss of the source."""
        return self.source.loss(student, batch)

    def cached(self) -> tuple[Tensor, Tensor]:
        """Return the images (N, 3, H, W), uint8 or float32, and their weights (N,)."""
        return torch.cat(self.images), torch.cat(self.weights)

    def save(self, state: State) -> None:
        """Put the cache and the source's own state into `state`."""
        self.source.save(state)
        for kind, parts in (("images", self.images), ("weights", self.weights)):
            state.put(f"cache/{kind}", {str(i): part for i, part in enumerate(parts)})

    def load(self, state: State) -> None:
        """Take them back."""
        self.source.load(state)
        for kind in ("images", "weights"):
            parts = state.get(f"cache/{kind}")
            setattr(self, kind, [parts[str(i)] for i in range(len(parts))])
