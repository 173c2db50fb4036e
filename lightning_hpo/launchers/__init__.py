"""Execution strategies: warm worker processes, and any Hydra launcher in batches."""
