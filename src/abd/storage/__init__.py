"""Reading and writing: arrays, checkpoints, records, histories. Nothing knows a plan."""
