"""Which samples each fit of a study trains and validates on, and by which seeds.

As its configuration says. A round of a race (``study.race_round``) has a split and seeds of its
own, the same for all candidates: what one seed or one split favours it favours in all of them, so
that their differences vary less than their values.
"""

from typing import Any

from omegaconf import DictConfig, OmegaConf

from lightning_hpo.data.folds import Split
from lightning_hpo.data.held import Held
from lightning_hpo.fitting import arguments
from lightning_hpo.protocol.seeds import derive_seed


def search_split(cfg: DictConfig, fold: int) -> Split:
    """The split that a trial validates on; the same in every trial of a study.

    Data that do not take a split validate on their own part, unless folds are asked for or samples
    are held out of all of them.
    """
    own = cfg.cv.search == "holdout" and _may_keep_its_split(cfg)
    return _split(cfg, method="own" if own else cfg.cv.search, fold=fold, seed=_race_seed(cfg))


def search_seed(cfg: DictConfig, origin: int, fold: int) -> int:
    """Of a trial's fit: its weights and what else is random; ``origin``: the original's number."""
    seed = _race_seed(cfg, fold)
    return derive_seed(cfg.seed, "trial", origin, fold) if seed is None else seed


def search_training_seed(cfg: DictConfig) -> int | None:
    """Of order and augmentation of the batches; None: the study's own, the same in all trials."""
    return _race_seed(cfg, "data")


def race_is_split_anew(cfg: DictConfig) -> bool:
    """Whether the rounds of a race differ in their split: data that keep theirs, do not."""
    split = search_split(cfg, 0)
    return split.method != "own" and split.order != "time"


def _race_seed(cfg: DictConfig, *parts: int | str) -> int | None:
    """Derived from the round of the race; None outside of one."""
    number = OmegaConf.select(cfg, "study.race_round")
    return None if number is None else derive_seed(cfg.seed, "race", number, *parts)


def final_split(cfg: DictConfig, fold: int | None) -> Split:
    """Fold ``fold`` of the final cross-validation; None: all training data, for the refit."""
    if fold is None:
        return _split(cfg, method=_final_method(cfg, "none"), fold=0)
    return _split(cfg, method="kfold", fold=fold)


def holdout_split(cfg: DictConfig) -> Split:
    """The split of the final job's further fit: ``cv.val_fraction`` of the data validate.

    Drawn for it alone: the search's split has chosen the winner, and judges it too well. The same
    samples validate all the same in the order of time, where they are the latest ones, and in data
    that keep their own split.
    """
    return _split(cfg, method=_final_method(cfg, "holdout"), fold=0, draw=1)


def holdout_is_new(cfg: DictConfig) -> bool:
    """Whether the further fit's split is another than the search's."""
    split = holdout_split(cfg)
    return split.method == "holdout" and split.order == "shuffled"


def refit_validates(cfg: DictConfig) -> bool:
    """Whether something in the refit needs a validation, such as a schedule that watches one."""
    return bool(cfg.study.get("refit_validates"))


def refit_val_fraction(cfg: DictConfig) -> float:
    """The part of the training data that the refit keeps to validate on.

    Data that stay with a validation part of their own lose nothing.
    """
    return float(cfg.cv.val_fraction) if refit_split(cfg).method == "holdout" else 0.0


def refit_split(cfg: DictConfig) -> Split:
    """All training data, but for what validates where something needs that.

    That is the further fit's split: it judges nothing here, but a schedule that watches it should
    not watch the samples that chose the winner.
    """
    return holdout_split(cfg) if refit_validates(cfg) else final_split(cfg, None)


def held(cfg: DictConfig) -> Held:
    """What every split of a study leaves out, by its configuration; same for each of its jobs.

    In a study of an outer fold, the samples of that fold take the place of the test data.
    """
    lock_box = OmegaConf.select(cfg, "data.lock_box")
    outer, n_outer = (OmegaConf.select(cfg, f"study.outer_{key}") for key in ("fold", "folds"))
    if outer is None or n_outer is None:
        return Held() if lock_box is None else Held(lock_box, seed=cfg.seed)
    return Held(lock_box, n_outer=int(n_outer), outer=int(outer), tested="outer", seed=cfg.seed)


def _split(
    cfg: DictConfig, *, method: str, fold: int, draw: int = 0, seed: int | None = None
) -> Split:
    """``seed``: None means the study's own."""
    return Split(
        method=method,  # type: ignore[arg-type]  # validated by Split
        n_splits=cfg.cv.n_splits,
        fold=fold,
        val_fraction=cfg.cv.val_fraction,
        stratified=cfg.cv.stratified,
        seed=cfg.seed if seed is None else seed,
        # A trial of an earlier version knows none of these.
        repeats=cfg.cv.get("repeats") or 1,
        order=cfg.cv.get("method") or "shuffled",
        groups=_name(cfg.cv.get("groups")),
        labels=_name(cfg.cv.get("labels")),
        draw=draw,
        held=held(cfg),
    )


def _name(found: Any) -> str | None:
    # A column may be called 2024.
    return None if found is None else str(found)


def _final_method(cfg: DictConfig, method: str) -> str:
    """Without folds anywhere, data that do not take a split keep their own."""
    has_folds = cfg.cv.search == "kfold" or cfg.cv.final
    return method if has_folds or not _may_keep_its_split(cfg) else "own"


def _may_keep_its_split(cfg: DictConfig) -> bool:
    return not held(cfg).holds and arguments.keeps_its_split(cfg.data)
