"""The final job: its tasks, what waits for what, the trials to be shown."""
