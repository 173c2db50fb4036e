"""The documented examples of the stock Optuna sweeper as one application; ``example`` chooses.

It knows nothing of this package: any Hydra application may choose our sweeper and launcher.
"""

import hydra
from hydra.utils import UNSAFE_DISABLE_EXECUTION_CHECKS
from omegaconf import DictConfig
from optuna.trial import Trial


def sphere(cfg: DictConfig) -> float:
    if cfg.get("error", False):
        raise RuntimeError("cfg.error is True")
    assert "z" not in cfg or cfg.z == 1
    return cfg.x**2 + cfg.y**2


def binh_and_korn(cfg: DictConfig) -> tuple[float, float]:
    return 4 * cfg.x**2 + 4 * cfg.y**2, (cfg.x - 5) ** 2 + (cfg.y - 5) ** 2


def four_dimensional_sphere(cfg: DictConfig) -> float:
    return cfg.w**2 + cfg.x**2 + cfg.y**2 + cfg.z**2


def configure(cfg: DictConfig, trial: Trial) -> None:
    """The search space in Python: ``z`` depends on ``x``."""
    x, reach = trial.params["x"], cfg.max_z_difference_from_x
    trial.suggest_float("z", x - reach, x + reach)
    trial.suggest_float("w", 0.0, 1.0)


@hydra.main(
    config_path="conf", config_name="sphere", execution_whitelist=UNSAFE_DISABLE_EXECUTION_CHECKS
)
def main(cfg: DictConfig) -> float | tuple[float, float]:
    return globals()[cfg.example](cfg)


if __name__ == "__main__":
    main()
