"""What params say of a trigger and cannot mean, found before any job starts."""

from __future__ import annotations

from pathlib import Path

from abd.config.schema import Settings
from abd.config.sections import Problems
from abd.data.there import is_file
from abd.errors import AbdError
from abd.nets import check_name
from abd.triggers import (
    TRIGGERS,
    asset_names,
    build_trigger,
    needs_hard_images,
    variant_names,
)


def check_trigger(name: str, settings: Settings, where: str, problems: Problems) -> None:
    """Note variants and assets that no trigger takes, and what `name` cannot work with."""
    _check_variants(settings, problems)
    _check_assets(settings, problems)
    variant = settings.poison.variants.get(name)
    if variant is None or variant in variant_names(name):
        try:
            build_trigger(name, settings.fetch.size, variant)
        except ValueError as error:
            problems.note(f"{where}.triggers", error)
    if needs_hard_images(name):
        _check_harden(settings, problems)


def _check_variants(settings: Settings, problems: Problems) -> None:
    for name, variant in settings.poison.variants.items():
        key = f"poison.variants.{name}"
        if not _is_trigger(name, "poison.variants", problems):
            continue
        known = variant_names(name)
        if not known:
            problems.add(key, "no such key: this trigger has one pattern", variant)
        elif variant not in known:
            problems.add(key, f"one of {', '.join(known)}", variant)


def _check_assets(settings: Settings, problems: Problems) -> None:
    for name, files in settings.poison.assets.items():
        if not _is_trigger(name, "poison.assets", problems):
            continue
        known = asset_names(name)
        for asset, path in files.items():
            key = f"poison.assets.{name}.{asset}"
            if not known:
                problems.add(key, "no file: nothing of this trigger can be replaced", path)
            elif asset not in known:
                problems.add(
                    f"poison.assets.{name}", f"any of {', '.join(sorted(known))}", asset
                )
            elif not is_file(Path(path)):
                problems.add(key, "a file", path)


def _is_trigger(name: str, key: str, problems: Problems) -> bool:
    if name in TRIGGERS.names():
        return True
    problems.add(key, f"any of {', '.join(TRIGGERS.names())}", name)
    return False


def _check_harden(settings: Settings, problems: Problems) -> None:
    try:
        check_name(settings.harden.net)
    except AbdError as error:
        problems.note("harden.net", error)
    if settings.harden.batch > settings.fetch.n_train:
        problems.add(
            "harden.batch",
            f"at most fetch.n_train = {settings.fetch.n_train}",
            settings.harden.batch,
        )
