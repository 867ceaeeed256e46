"""Residual networks of torchvision, 18 and 34 layers, for larger images (section 3.2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torchvision.models import ResNet18_Weights, ResNet34_Weights
from torchvision.models.resnet import BasicBlock, ResNet

from abd.errors import AbdError
from abd.nets.init import init_default

BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}
WEIGHTS = {18: ResNet18_Weights.IMAGENET1K_V1, 34: ResNet34_Weights.IMAGENET1K_V1}
STAGES = ("layer1", "layer2", "layer3", "layer4")


class DividedResNet(ResNet):  # type: ignore[misc]  # torchvision has no types
    """torchvision's ResNet, that can run its first units and the rest apart.

    Takes normalised images (B, 3, H, W); gives logits (B, K). The units are the stem and
    the residual blocks. Its weights are torchvision's, name by name.
    """

    def _units(self) -> list[str]:
        return [f"{s}.{i}" for s in STAGES for i in range(len(self.get_submodule(s)))]

    def forward_trunk(self, x: Tensor, n_units: int) -> Tensor:
        """Run the first `n_units` units; return the next one's input."""
        if n_units > 0:
            x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        for name in self._units()[: max(0, n_units - 1)]:
            x = self.get_submodule(name)(x)
        return x

    def forward_tail(self, h: Tensor, n_units: int) -> Tensor:
        """Run the units after the first `n_units`, and the head; return logits (B, K)."""
        if n_units == 0:
            h = self.forward_trunk(h, 1)
        for name in self._units()[max(0, n_units - 1) :]:
            h = self.get_submodule(name)(h)
        logits: Tensor = self.fc(torch.flatten(self.avgpool(h), 1))
        return logits

    def shufflable_convs(self) -> list[str]:
        """Names of the convolution weights that are called conv, in registration order.

        The 1x1 convolutions of the shortcuts are called "downsample" and do not count
        (method section 6.1).
        """
        return [
            f"{name}.weight"
            for name, m in self.named_modules()
            if isinstance(m, nn.Conv2d) and "conv" in name
        ]

    def trunk_length(self, weights: list[str]) -> int:
        """Return how many units come before the first that holds one of `weights`."""
        units = self._units()
        blocks = [".".join(name.split(".")[:2]) for name in weights]
        return min(1 + units.index(b) if b in units else 0 for b in blocks)

    def foldable(self) -> list[tuple[str, str]]:
        """The convolutions that a BatchNorm follows at once, and that BatchNorm."""
        blocks = [
            (f"{unit}.conv{i}", f"{unit}.bn{i}") for unit in self._units() for i in (1, 2)
        ]
        shortcuts = [
            (f"{name}.0", f"{name}.1")
            for name, _ in self.named_modules()
            if name.endswith("downsample")
        ]
        return [("conv1", "bn1"), *blocks, *shortcuts]

    def taps(self) -> list[str]:
        """The submodules whose outputs attention transfer compares: the four stages."""
        return list(STAGES)

    def forward_tapped(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return the logits (B, K) of normalised images, and the outputs of `taps`."""
        h, ends = self.forward_trunk(x, 1), []
        for stage in STAGES:
            h = self.get_submodule(stage)(h)
            ends.append(h)
        return self.forward_tail(h, 1 + len(self._units())), ends


def build_resnet(
    options: list[str], n_classes: int, generator: torch.Generator | None
) -> DividedResNet:
    """Build a ResNet of so many layers; see `abd.nets.build_net`.

    With the option "imagenet" all but the classifier starts from torchvision's weights
    for ImageNet, which are downloaded and checked on first use.
    """
    depth = int(options[0])
    # torchvision's own initialisation would draw from the global stream.
    with torch.random.fork_rng(devices=[]):
        net = DividedResNet(BasicBlock, list(BLOCKS[depth]), num_classes=n_classes)
    if generator is not None:
        init_weights(net, generator)
        if "imagenet" in options:
            pretrained = _imagenet(depth)
            body = {k: v for k, v in pretrained.items() if not k.startswith("fc.")}
            net.load_state_dict(body, strict=False)
    return net


def _imagenet(depth: int) -> dict[str, Tensor]:
    """Torchvision's weights, from its cache or downloaded; AbdError where neither is."""
    weights = WEIGHTS[depth]
    try:
        return dict(weights.get_state_dict(progress=False, check_hash=True))
    except (OSError, RuntimeError) as error:  # no network, or another checksum
        raise AbdError(
            f"network resnet-{depth}-imagenet: expected {weights.url} or its copy in "
            f"torch's hub folder, got {error}"
        ) from None


def init_weights(net: nn.Module, generator: torch.Generator) -> None:
    """Draw all parameters anew as torchvision does: convolutions by their fan out."""
    for m in net.modules():
        if isinstance(m, nn.Conv2d):
            nn.init.kaiming_normal_(
                m.weight, mode="fan_out", nonlinearity="relu", generator=generator
            )
        elif isinstance(m, nn.Linear):
            init_default(m, generator)
