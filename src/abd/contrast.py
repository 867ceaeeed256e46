"""CMI's contrastive memory: new images should differ from all that went before.

Features of two views of every image, a bank of them, and a projection head that learns to
tell which two views belong together (method section 5.3).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from abd.nets.init import init_default


class Head(nn.Module):
    """Projects features (B, n_features) to the unit sphere (B, dim)."""

    def __init__(self, n_features: int, dim: int, generator: torch.Generator) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            self.hidden = nn.Linear(n_features, n_features)
            self.out = nn.Linear(n_features, dim)
        for layer in (self.hidden, self.out):
            init_default(layer, generator)

    def forward(self, features: Tensor) -> Tensor:
        """Return unit vectors (B, dim)."""
        return F.normalize(self.out(F.relu(self.hidden(features))))


def contrastive_loss(
    head: nn.Module, views: Tensor, cached: Tensor, temperature: float
) -> Tensor:
    """Cross-entropy of finding each image's own global view among all, a scalar.

    views: (N, 2, n_features), the local and the global view of each new image; cached: the
    same of earlier ones, (M, 2, n_features), M may be 0. The mean over new images plus the
    mean over cached ones; nothing flows back through the global views' projections.
    """
    both = torch.cat([views, cached])
    local = head(both[:, 0])
    with torch.no_grad():
        other = head(both[:, 1])
    logits = local @ other.T / temperature
    losses = F.cross_entropy(
        logits, torch.arange(len(both), device=logits.device), reduction="none"
    )
    loss = losses[: len(views)].mean()
    return loss + losses[len(views) :].mean() if len(cached) else loss


class Bank:
    """The last `capacity` feature pairs (n, 2, n_features), oldest replaced first."""

    def __init__(self, capacity: int, n_features: int, device: torch.device) -> None:
        self.pairs = torch.zeros(0, 2, n_features, device=device)
        self.capacity = capacity
        self.place = 0

    def add(self, pairs: Tensor) -> None:
        """Put pairs in: appended while there is room, then in place of the oldest."""
        pairs = pairs[-self.capacity :]
        room = self.capacity - len(self.pairs)
        self.pairs = torch.cat([self.pairs, pairs[:room]])
        rest = pairs[room:]
        if len(rest):
            at = (self.place + torch.arange(len(rest))) % self.capacity
            self.pairs[at.to(self.pairs.device)] = rest
            self.place = (self.place + len(rest)) % self.capacity

    def draw(self, n: int, stream: torch.Generator) -> Tensor:
        """Draw up to `n` different pairs."""
        idx = torch.randperm(len(self.pairs), generator=stream)[:n]
        return self.pairs[idx.to(self.pairs.device)]
