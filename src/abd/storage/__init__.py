"""The only code that touches disk or network: arrays, checkpoints, results, tracking."""
