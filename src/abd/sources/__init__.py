"""Surrogate sources: where a distillation's batches come from.

What planning knows of them, their settings, is in `abd.config.sources`.
"""
