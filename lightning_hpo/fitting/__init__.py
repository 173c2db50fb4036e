"""A configuration and a split become a fitted network: serial, in ranks, stacked."""
