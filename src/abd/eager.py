"""PyTorch's optimizers without the import of its compiler, which takes as long as torch's.

Each of their methods here is wrapped, in torch, in something that imports the compiler to
tell it not to look inside. No optimizer's step is compiled, so they are taken unwrapped.
"""

from __future__ import annotations

from inspect import unwrap

import torch
from torch.optim import Optimizer


class _Eager(Optimizer):
    add_param_group = unwrap(Optimizer.add_param_group)
    zero_grad = unwrap(Optimizer.zero_grad)
    state_dict = unwrap(Optimizer.state_dict)
    load_state_dict = unwrap(Optimizer.load_state_dict)


class Adam(_Eager, torch.optim.Adam):
    """`torch.optim.Adam`; it cannot be differentiated through."""

    step = torch.no_grad()(unwrap(torch.optim.Adam.step))


class SGD(_Eager, torch.optim.SGD):
    """`torch.optim.SGD`; it cannot be differentiated through."""

    step = torch.no_grad()(unwrap(torch.optim.SGD.step))
