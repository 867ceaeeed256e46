"""Benchmarks: every figure a ratio of two timings in the same run."""
