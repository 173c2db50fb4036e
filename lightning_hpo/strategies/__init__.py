"""What Optuna is given: samplers, pruners over folds, replay."""
