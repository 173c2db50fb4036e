"""Callbacks: thin observers of a fit; what they compute lives in pure functions elsewhere."""
