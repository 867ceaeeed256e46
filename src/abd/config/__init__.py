"""params.yaml: its schema, its checks, the plan it makes, and each job's slice of it."""

from abd.config.cells import Cell
from abd.config.load import load_params
from abd.config.plan import Plan, load_plan, make_plan

__all__ = ["Cell", "Plan", "load_params", "load_plan", "make_plan"]
