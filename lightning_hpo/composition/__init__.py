"""What Hydra composed: whose application, objects from it, paths and passwords in it."""
