"""A frozen network with its BatchNorms folded into the convolutions before them.

In eval mode a BatchNorm scales and shifts each channel by constants, which a convolution
can do itself: a pass over the activations less, forwards and backwards.
"""

from __future__ import annotations

import copy
from typing import Any

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


def folded(net: nn.Module) -> nn.Module:
    """Return a copy of `net`, which is in eval mode, that gives the same outputs sooner.

    The net says itself which layers follow each other: `foldable` gives their names, as
    `WideResNet` does; one that does not is returned as it is. The names of convolutions
    stay, and so does what a permutation of their input channels does.
    """
    pairs: Any = getattr(net, "foldable", None)
    if pairs is None:
        return net
    net = copy.deepcopy(net)
    for conv, bn in pairs():
        before, after = net.get_submodule(conv), net.get_submodule(bn)
        assert isinstance(before, nn.Conv2d)
        assert isinstance(after, nn.BatchNorm2d)
        net.set_submodule(conv, fuse_conv_bn_eval(before, after).requires_grad_(False))
        net.set_submodule(bn, nn.Identity())
    return net
