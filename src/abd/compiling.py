"""A loss and its gradient as machine code of their own, by torch's compiler, on a CPU.

What lies between two convolutions (BatchNorm, ReLU, sums) is then done in one pass over
memory, and so are its gradients.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, ParamSpec

import torch
from torch import Tensor

from abd.compiler import check_compiler, no_compiling
from abd.errors import printable

P = ParamSpec("P")
ERROR = re.compile(r"(?<!\w)error: ")  # where a C++ compiler says what is wrong


def with_gradient(loss_of: Callable[P, Tensor]) -> Callable[P, Tensor]:
    """Return what computes a loss and its gradient, and gives the loss detached."""

    def learn(*args: P.args, **kwargs: P.kwargs) -> Tensor:
        loss = loss_of(*args, **kwargs)
        loss.backward()
        return loss.detach()

    return learn


def compiled_with_gradient(loss_of: Callable[P, Tensor]) -> Callable[P, Tensor]:
    """`with_gradient`, compiled when it is first called with these shapes.

    `loss_of` must be operations on tensors throughout. Compiled again it is the same code,
    with the same bits. Raises AbdError where it cannot be compiled, here or when called.
    """
    check_compiler()
    options: dict[str, Any] = {
        "compile_threads": 1,  # in this process: helpers would outlive a signal to it
        # What code is made depends on them. Of a number that is given, torch's cache knows.
        "cpp.threads": torch.get_num_threads(),
    }
    learn = with_gradient(
        torch.compile(loss_of, fullgraph=True, dynamic=False, options=options)
    )

    def call(*args: P.args, **kwargs: P.kwargs) -> Tensor:
        # Imports the compiler, which takes two seconds; by now it is there.
        from torch._dynamo.exc import FailOnRecompileLimitHit, TorchDynamoException

        try:
            return learn(*args, **kwargs)
        except FailOnRecompileLimitHit:
            raise no_compiling("batches of too many different shapes") from None
        except TorchDynamoException as error:
            raise no_compiling(_cause(str(error))) from error

    return call


def _cause(text: str) -> str:
    """The line that says what is wrong: the C++ compiler's, else the first."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    said = next((line for line in lines if ERROR.search(line)), lines[0])
    return printable(said)
