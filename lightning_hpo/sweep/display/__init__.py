"""The terminal: what is shown while a study runs."""
