"""Wide residual networks WRN-d-k for small images (method section 3.1).

Pre-activation blocks without dropout. A network is a row of units, the stem and then the
residual blocks, and a head. `forward_trunk` runs the first units and `forward_tail` the
rest, so that copies that differ only in their last units can share the trunk.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

N_STAGES = 3


def _conv(n_in: int, n_out: int, size: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(n_in, n_out, size, stride, padding=size // 2, bias=False)


class Block(nn.Module):
    """One residual block: BN-ReLU-conv-BN-ReLU-conv plus a shortcut.

    Where the width changes, the shortcut is a 1x1 convolution of the *activated* input,
    otherwise it is the raw input.
    """

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        # Registration order conv1, conv2, shortcut: the vaccine counts layers in it.
        self.bn1 = nn.BatchNorm2d(n_in)
        self.conv1 = _conv(n_in, n_out, 3, stride)
        self.bn2 = nn.BatchNorm2d(n_out)
        self.conv2 = _conv(n_out, n_out, 3)
        self.shortcut = _conv(n_in, n_out, 1, stride) if n_in != n_out else None

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, n_in, H, W) to (B, n_out, H/stride, W/stride)."""
        # In place where no gradient needs what was there: nothing is copied twice.
        a = F.relu_(self.bn1(x))
        out: Tensor = self.conv2(F.relu_(self.bn2(self.conv1(a))))
        return out.add_(x if self.shortcut is None else self.shortcut(a))


class WideResNet(nn.Module):
    """WRN-`depth`-`width`: three stages of (depth - 4) / 6 blocks, widths 16k, 32k, 64k.

    Takes normalised images (B, 3, H, W), H and W divisible by 4; gives logits (B, K).
    """

    def __init__(self, depth: int, width: int, n_classes: int) -> None:
        super().__init__()
        n_blocks = (depth - 4) // 6
        widths = [16, *(16 * width * 2**stage for stage in range(N_STAGES))]
        self.conv = _conv(3, widths[0], 3)
        self.blocks = nn.ModuleList(
            Block(
                widths[stage] if i == 0 else widths[stage + 1],
                widths[stage + 1],
                stride=2 if stage > 0 and i == 0 else 1,
            )
            for stage in range(N_STAGES)
            for i in range(n_blocks)
        )
        self.bn = nn.BatchNorm2d(widths[-1])
        self.linear = nn.Linear(widths[-1], n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits (B, K) of normalised images (B, 3, H, W)."""
        return self.forward_tail(self.forward_trunk(x, 0), 0)

    def _units(self) -> list[nn.Module]:
        return [self.conv, *self.blocks]

    def forward_trunk(self, x: Tensor, n_units: int) -> Tensor:
        """Run the first `n_units` units; return the next one's input."""
        for unit in self._units()[:n_units]:
            x = unit(x)
        return x

    def forward_tail(self, h: Tensor, n_units: int) -> Tensor:
        """Run the units after the first `n_units`, and the head; return logits (B, K)."""
        for unit in self._units()[n_units:]:
            h = unit(h)
        h = F.relu_(self.bn(h))
        # Not `mean`: its gradient is laid out anew, which slows the whole last stage.
        return self.linear(h.sum(dim=(2, 3)) / (h.shape[2] * h.shape[3]))

    def shufflable_convs(self) -> list[str]:
        """Names of the convolution weights in the order that "the last n" counts.

        Registration order, the 1x1 shortcuts included (method section 6.1).
        """
        return [
            f"{name}.weight" for name, m in self.named_modules() if isinstance(m, nn.Conv2d)
        ]

    def trunk_length(self, weights: list[str]) -> int:
        """Return how many units come before the first that holds one of `weights`."""
        names = [name.split(".") for name in weights]
        return min(1 + int(parts[1]) if parts[0] == "blocks" else 0 for parts in names)

    def foldable(self) -> list[tuple[str, str]]:
        """The convolutions that a BatchNorm follows at once, and that BatchNorm."""
        return [(f"blocks.{i}.conv1", f"blocks.{i}.bn2") for i in range(len(self.blocks))]

    def taps(self) -> list[str]:
        """The submodules whose outputs attention transfer compares: the stages' ends."""
        n_blocks = len(self.blocks) // N_STAGES
        return [f"blocks.{(stage + 1) * n_blocks - 1}" for stage in range(N_STAGES)]

    def forward_tapped(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return the logits (B, K) of normalised images, and the outputs of `taps`."""
        n_blocks, ends = len(self.blocks) // N_STAGES, []
        h = self.conv(x)
        for i, block in enumerate(self.blocks, start=1):
            h = block(h)
            if i % n_blocks == 0:
                ends.append(h)
        return self.forward_tail(h, 1 + len(self.blocks)), ends


def build_wrn(
    options: list[str], n_classes: int, generator: torch.Generator | None
) -> WideResNet:
    """Build WRN-`depth`-`width` from its two numbers; see `abd.nets.build_net`."""
    depth, width = map(int, options)
    # torch's own initialisation would draw from the global stream.
    with torch.random.fork_rng(devices=[]):
        net = WideResNet(depth, width, n_classes)
    if generator is not None:
        init_weights(net, generator)
    return net


def init_weights(net: WideResNet, generator: torch.Generator) -> None:
    """Draw all parameters anew: convolutions N(0, 2/(k*k*n_out)), linear uniform.

    BatchNorm starts at scale 1 and shift 0, the linear bias at 0 (method section 3.1).
    """
    for m in net.modules():
        if isinstance(m, nn.Conv2d):
            fan_out = m.kernel_size[0] * m.kernel_size[1] * m.out_channels
            nn.init.normal_(m.weight, 0.0, math.sqrt(2.0 / fan_out), generator=generator)
        elif isinstance(m, nn.Linear):
            bound = 1 / math.sqrt(m.in_features)
            nn.init.uniform_(m.weight, -bound, bound, generator=generator)
            nn.init.zeros_(m.bias)
