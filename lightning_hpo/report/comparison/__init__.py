"""The comparison of several studies."""
