"""Doubling a map and convolving it, in one step of less than half the work.

A 3x3 convolution of a map doubled by repeating its pixels sees at most four different
pixels, so 4 of its 9 products would do (method section 10.2). That is a transposed
convolution of stride 2: each pixel of the small map adds a 4x4 stamp to the large one, the
3x3 kernel summed over the 2x2 copies of the pixel.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class DoublingConv2d(nn.Conv2d):
    """A nearest-neighbour doubling and then a 3x3 convolution with padding 1.

    Maps (B, n_in, H, W) to (B, n_out, 2H, 2W); `weight` is the 3x3 convolution's, without
    a bias.
    """

    stamp: Tensor

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__(n_in, n_out, 3, padding=1, bias=False)
        # Made once: a forward that is recorded as a CUDA graph may copy nothing over. The
        # transposed convolution runs through the kernel the other way round.
        stamp = torch.zeros(4, 3)
        stamp[[0, 1, 1, 2, 2, 3], [2, 2, 1, 1, 0, 0]] = 1
        self.register_buffer("stamp", stamp, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolution of the doubled map."""
        # Of (n_out, n_in, 3, 3) what each pixel of the small map adds, (n_in, n_out, 4, 4).
        kernel = torch.einsum("ia,jb,ocab->coij", self.stamp, self.stamp, self.weight)
        return F.conv_transpose2d(x, kernel, stride=2, padding=1)
