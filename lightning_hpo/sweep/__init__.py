"""The sweeper: search space, study, and the loop that asks, submits and tells."""
