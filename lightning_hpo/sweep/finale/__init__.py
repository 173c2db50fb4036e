"""The race and the final job: their tasks, what waits for what, the trials to be shown."""
