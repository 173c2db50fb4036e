"""Hyperparameter search for PyTorch Lightning, driven by Hydra and Optuna."""

__version__ = "0.1.0"
