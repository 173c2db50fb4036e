"""Networks: the shared classification module, the two architectures and their initialisation."""
