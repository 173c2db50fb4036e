"""``python -m lightning_hpo``."""

from lightning_hpo.entry import console

if __name__ == "__main__":
    console()
