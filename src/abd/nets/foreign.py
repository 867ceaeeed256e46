"""Networks of the user's own, by import path: "my_package.nets:MyNet".

The class, or a function, is called with the number of classes by the name `num_classes`
or `n_classes`.
"""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
from pathlib import Path
from typing import TYPE_CHECKING

from abd.errors import AbdError, printable
from abd.nets.names import split_arguments
from abd.registry import load_object

if TYPE_CHECKING:
    import torch
    from torch import nn

CLASSES = ("num_classes", "n_classes")


def source_digest(name: str) -> str:
    """Digest of what defines a network: its file, or all files of its package's folder.

    Raises AbdError where it cannot be found.
    """
    module = name.partition(":")[0]
    try:
        spec = importlib.util.find_spec(module)
    except (Exception, SystemExit) as error:  # finding it imports its package, of anybody's
        spec, why = None, f": {type(error).__name__}: {printable(error)}"
    else:
        why = ""
    if spec is None or spec.origin is None or not Path(spec.origin).is_file():
        raise AbdError(
            f"network: expected an importable module, got {module!r} of {name!r}{why}; "
            "install it, or put its folder on PYTHONPATH"
        )
    source = Path(spec.origin)
    # A package's modules may all take part; a single file stands for itself.
    package = "." in module or source.name == "__init__.py"
    files = sorted(source.parent.rglob("*.py")) if package else [source]
    contents = b"".join(file.read_bytes() for file in files)
    return f"{module} {hashlib.sha256(contents).hexdigest()[:16]}"


def build_foreign(
    name: str, n_classes: int, generator: torch.Generator | None
) -> nn.Module:
    """Build a network by import path, its initial parameters decided by `generator`."""
    import torch
    from torch import nn

    path, arguments = split_arguments(name)
    try:
        factory = load_object(path)
    except (Exception, SystemExit) as error:  # a module of anybody's
        raise AbdError(
            f"network: expected an importable network, got {name!r}: {error}"
        ) from None
    try:
        known = inspect.signature(factory).parameters
    except (TypeError, ValueError):
        raise AbdError(f"network {name}: expected a class or a function") from None
    takes_more = any(p.kind is p.VAR_KEYWORD for p in known.values())
    # One that hands on what it does not know, as torchvision's functions do, says nothing.
    classes = next((c for c in CLASSES if c in known), CLASSES[0] if takes_more else None)
    if classes is None:
        raise AbdError(f"network {name}: expected a parameter {' or '.join(CLASSES)}")
    foreign = set() if takes_more else arguments.keys() - known.keys()
    if unknown := foreign or {classes} & arguments.keys():
        raise AbdError(
            f"network {name}: expected arguments out of {', '.join(known)} but for "
            f"{classes}, got {', '.join(sorted(unknown))}"
        )
    with torch.random.fork_rng(devices=[]):
        if generator is not None:
            # Their initialisation draws from the global stream; here it is theirs alone.
            seed = torch.randint(2**62, (), generator=generator).item()
            torch.manual_seed(int(seed))
        try:
            net = factory(**{classes: n_classes}, **arguments)
        except (Exception, SystemExit) as error:  # of anybody's, too
            raise AbdError(
                f"network {name}: expected a network of {n_classes} classes, got "
                f"{type(error).__name__}: {printable(error)}"
            ) from error
    if not isinstance(net, nn.Module):
        raise AbdError(f"network {name}: expected a torch.nn.Module, got {type(net)}")
    return net
