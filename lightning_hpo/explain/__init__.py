"""What is computed of a network to explain it, and which figures apply to which model and data."""
