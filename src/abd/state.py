"""The complete state of a run: named tensors and a few plain values.

Networks, optimizers and sources put their parts under a prefix; what was put in with
`put_*` is what `get_*` restores, bit for bit. Storage writes and reads a `State`.

A state holds the tensors themselves, not copies: a cache of images may be as large as the
memory that is left. It is to be written, or loaded elsewhere, before the run goes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer


@dataclass
class State:
    """Tensors by path ("student/conv.weight") and JSON-able values by name."""

    tensors: dict[str, Tensor] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)

    def put(self, prefix: str, tensors: Mapping[str, Tensor]) -> None:
        """Put `tensors` in under `prefix`."""
        for name, tensor in tensors.items():
            self.tensors[f"{prefix}/{name}"] = tensor.detach().cpu()

    def get(self, prefix: str) -> dict[str, Tensor]:
        """Return the tensors under `prefix` by their own names."""
        start = f"{prefix}/"
        return {
            k.removeprefix(start): v for k, v in self.tensors.items() if k.startswith(start)
        }

    def not_finite(self) -> list[str]:
        """Paths of the tensors that hold NaN or inf."""
        return [
            path
            for path, tensor in self.tensors.items()
            if tensor.is_floating_point() and not bool(tensor.isfinite().all())
        ]

    def put_net(self, prefix: str, net: nn.Module) -> None:
        """Put all parameters and buffers of `net` in."""
        self.put(prefix, net.state_dict())

    def get_net(self, prefix: str, net: nn.Module) -> None:
        """Load parameters and buffers into `net`; all must be there and fit."""
        net.load_state_dict(self.get(prefix))

    def put_optimizer(self, prefix: str, optimizer: Optimizer) -> None:
        """Put the optimizer's per-parameter tensors in; its settings are params."""
        for index, slots in optimizer.state_dict()["state"].items():
            self.put(f"{prefix}/{index}", {k: torch.as_tensor(v) for k, v in slots.items()})

    def get_optimizer(self, prefix: str, optimizer: Optimizer) -> None:
        """Load what `put_optimizer` saved into an optimizer of the same settings.

        In the memory layout of the parameters, as it was: fused optimizers ask for that.
        """
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        slots: dict[int, dict[str, Tensor]] = {}
        for path, tensor in self.get(prefix).items():
            index, _, name = path.partition("/")
            like = parameters[int(index)] if tensor.dim() else tensor
            laid_out = torch.empty_like(like, dtype=tensor.dtype, device=tensor.device)
            slots.setdefault(int(index), {})[name] = laid_out.copy_(tensor)
        groups = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"state": slots, "param_groups": groups})
