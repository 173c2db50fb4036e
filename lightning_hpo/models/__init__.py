"""Networks: what all modules share, the three architectures and their initialisation."""
