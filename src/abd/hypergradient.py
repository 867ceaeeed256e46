"""Hypergradient of a bilevel problem by fixed-point implicit differentiation.

The inner solution w(theta) is the fixed point of a map Phi(w, theta), such as one step
of gradient descent on the inner loss. The gradient of outer(w(theta), theta) is

    d outer/d theta + (dPhi/d theta)^T v,   v = (dPhi/dw)^T v + d outer/dw,

with the second equation solved by iteration (Grazzi et al., 2020; method section 7.2).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def hypergradient(
    outer: Tensor,
    phi: Tensor,
    inner: Tensor,
    params: Sequence[Tensor],
    n_terms: int,
    tol: float = 0.0,
) -> list[Tensor | None]:
    """Return d outer(inner(params), params) / d params, None where neither depends on one.

    outer: scalar, a graph of `inner` and `params`. phi: one step of the inner map, the
    shape of `inner`, a graph of both, made with create_graph. n_terms: how many terms
    of the Neumann series v = sum_j (dPhi/dw)^jT g are summed, at least 1. tol: stop
    early when a term's norm falls below it (0: never; costs a look at the device).
    """
    if n_terms < 1:
        raise ValueError(f"n_terms: expected at least 1, got {n_terms}")
    g, *direct = torch.autograd.grad(outer, [inner, *params], allow_unused=True)
    v = g = torch.zeros_like(inner) if g is None else g
    # The first product of the iteration from v = 0 is with zero, hence one fewer.
    for _ in range(n_terms - 1):
        (product,) = torch.autograd.grad(phi, inner, v, retain_graph=True)
        previous, v = v, product + g
        if tol and float((v - previous).norm()) < tol:
            break
    implicit = torch.autograd.grad(phi, params, v, allow_unused=True)
    return [_sum(a, b) for a, b in zip(direct, implicit, strict=True)]


def _sum(a: Tensor | None, b: Tensor | None) -> Tensor | None:
    """The sum of two gradients, of which each may be none."""
    if a is None or b is None:
        return b if a is None else a
    return a + b
