"""The user's own package."""
