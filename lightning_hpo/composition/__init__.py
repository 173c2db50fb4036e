"""What Hydra composed: whose application, objects from it, paths and passwords in it."""

# Their resolvers may stand anywhere in a configuration: whoever reads one imports this room.
from lightning_hpo.composition import fit_names, warmup

__all__ = ["fit_names", "warmup"]
