"""A training step's work as machine code of its own, by torch's compiler.

What lies between two convolutions (BatchNorm, ReLU, sums) is then done in one pass over
memory, and so are their gradients.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, ParamSpec, TypeVar

from abd.errors import AbdError

P = ParamSpec("P")
T = TypeVar("T")


class Compiled(Generic[P, T]):
    """Calls `work`, compiled for a CPU when it is first called with these shapes.

    `work` must be operations on tensors throughout. Compiled again it is the same code,
    with the same bits. Raises AbdError where it cannot be compiled.
    """

    def __init__(self, work: Callable[P, T]) -> None:
        import torch  # its compiler takes two seconds to import

        # In this process: helpers would outlive a signal to it.
        options: dict[str, Any] = {"compile_threads": 1}
        self._work = torch.compile(work, fullgraph=True, dynamic=False, options=options)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """Do the work once."""
        from torch._dynamo.exc import TorchDynamoException

        try:
            return self._work(*args, **kwargs)
        except TorchDynamoException as error:
            cause = str(error).strip().partition("\n")[0]
            raise AbdError(
                "params.yaml: numerics.compile: expected work that torch can compile, a "
                "C++ compiler (g++, or the one that CXX names) and Python's headers, got "
                f"{cause}; install what is missing, or set it to false"
            ) from error
