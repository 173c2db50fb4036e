"""A study's network as a file that other programs open: its graph, its formats, its check."""
