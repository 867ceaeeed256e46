"""Surrogate sources: where a distillation's batches come from.

Other packages add sources through the entry-point group `abd.sources`.
"""

from abd.registry import Registry

__all__ = ["SOURCES"]

SOURCES = Registry(
    "source",
    "abd.sources",
    {
        "clean": "abd.sources.clean:CleanSource",
        "ood": "abd.sources.ood:OodSource",
    },
)
