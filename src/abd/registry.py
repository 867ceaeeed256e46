"""Registries: a name, and where its factory is; extended through entry points.

A registry imports nothing before a member is asked for, so that planning stays quick.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from abd.errors import AbdError


def load_object(target: str) -> Any:
    """Import what "module:attribute" names."""
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)


class Registry:
    """Members by name: built in (name -> "module:factory") or from plug-ins.

    `group` is the entry-point group that other packages use to add members.
    """

    def __init__(self, kind: str, group: str, builtin: Mapping[str, str]) -> None:
        self.kind = kind
        self.group = group
        self.builtin = dict(builtin)

    @cached_property
    def plugins(self) -> dict[str, EntryPoint]:
        """The members that installed packages add; a built-in name cannot be taken."""
        found = {point.name: point for point in entry_points(group=self.group)}
        taken = sorted(found.keys() & self.builtin.keys())
        if taken:
            raise AbdError(
                f"entry points {self.group}: {', '.join(taken)} already built in; "
                "rename the plug-in's entry point"
            )
        return found

    def names(self) -> list[str]:
        """All members, sorted."""
        return sorted([*self.builtin, *self.plugins])

    def target(self, name: str) -> str:
        """Return "module:factory" of a member; AbdError if there is none."""
        if name in self.builtin:
            return self.builtin[name]
        if name in self.plugins:
            return self.plugins[name].value
        raise AbdError(
            f"{self.kind}: expected one of {', '.join(self.names())}, got {name!r}"
        )

    def load(self, name: str) -> Callable[..., Any]:
        """Import and return the factory of a member."""
        return load_object(self.target(name))

    def identity(self, name: str, worker: str = "") -> dict[str, str]:
        """What decides a member's behaviour: its module, and a plug-in's version.

        `worker` ("module:factory") is what does the work where a member only describes it.
        """
        identity = {"module": (worker or self.target(name)).partition(":")[0]}
        if name in self.plugins:
            dist = self.plugins[name].dist
            identity["plugin"] = f"{dist.name} {dist.version}" if dist else "unknown"
        return identity
