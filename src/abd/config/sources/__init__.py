"""What planning knows of the surrogate sources: their settings and their lengths.

A source is registered by the class of its settings, a `SourceSettings`, which names the
class that does the work. Other packages add sources through the entry-point group
`abd.sources`.
"""

from abd.config.sources.base import SourceSettings
from abd.registry import Registry

__all__ = ["SOURCES", "SourceSettings", "settings_class"]

SOURCES = Registry(
    "source",
    "abd.sources",
    {
        "clean": "abd.config.sources.clean:CleanSettings",
        "cmi": "abd.config.sources.cmi:CmiSettings",
        "ood": "abd.config.sources.ood:OodSettings",
        "zskt": "abd.config.sources.zskt:ZsktSettings",
    },
)


def settings_class(name: str) -> type[SourceSettings]:
    """Return the class of a source's section `distill.<name>`; AbdError without one."""
    settings = SOURCES.load(name)
    assert isinstance(settings, type)
    assert issubclass(settings, SourceSettings)
    return settings
