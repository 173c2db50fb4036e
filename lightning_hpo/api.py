"""The functions of the package: start a study, read one, compare several, open a lock box."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException
from optuna.trial import FrozenTrial

from lightning_hpo.errors import UserError, one_line
from lightning_hpo.jobs import again
from lightning_hpo.jobs.again import Comparison
from lightning_hpo.jobs.prediction import predictor
from lightning_hpo.jobs.stored_network import from_checkpoint
from lightning_hpo.machine import caller
from lightning_hpo.machine.child import INTERRUPTED, run_in_view
from lightning_hpo.protocol.folder import StudyFolder
from lightning_hpo.results.frame import frame_of
from lightning_hpo.results.pictures import Pictures
from lightning_hpo.results.record import read_record
from lightning_hpo.results.summary import summary_html
from lightning_hpo.scripting.words import words

# Torch and scipy come with what needs them: a study runs in processes of its own.
if TYPE_CHECKING:
    import pandas as pd

    from lightning_hpo.flavour import pl
    from lightning_hpo.jobs.exporting.kinds import Exported
    from lightning_hpo.jobs.predictor import Predictor
    from lightning_hpo.protocol.lock_box import Opening
    from lightning_hpo.results.results import Best, Results
    from lightning_hpo.results.samples import Row

_File = str | Path | None


@dataclass(frozen=True)
class StudyRecord:
    """What a study has left in its folder; :func:`run` and :func:`load_study` return one.

    A notebook shows a record as a small table.

    Attributes:
        folder: the study's, absolute.
        results: the content of its ``results.json``.
        trials: Optuna's, ordered by number and empty for a study without a search space; to change
            them changes nothing in the study, and of several objectives each holds the first.
        importances: shares of the searched parameters that sum to one, the largest first; empty
            where there are too few completed trials to tell.
    """

    folder: Path
    results: "Results" = field(repr=False)
    trials: tuple[FrozenTrial, ...] = field(repr=False)
    importances: Mapping[str, float] = field(repr=False)

    @property
    def frame(self) -> "pd.DataFrame":
        """The trials as a table, a row for each.

        Its columns are ``number``, ``state``, ``value``, one for each searched parameter,
        ``epochs``, ``seconds``, and of trials with folds ``fold_0``, ``fold_1``, ...
        """
        return frame_of(self.folder, self.trials)

    @property
    def figures(self) -> Pictures:
        """The final job's pictures by name, such as ``"learning_curves"``; notebooks show them."""
        return Pictures(StudyFolder(self.folder).final.figures)

    @property
    def report(self) -> Path:
        """The page that any browser opens."""
        return StudyFolder(self.folder).report

    @property
    def command(self) -> str | None:
        """What runs the study in a terminal; None of a study that did not say."""
        return self.results.get("command")

    @property
    def best(self) -> "Best | None":
        """``number``, ``value`` and ``params`` of the best trial; None where none completed."""
        return self.results["best"]

    @property
    def best_params(self) -> dict[str, Any]:
        """The searched parameters of the best trial, by their keys; empty where none completed.

        Of the search: the model's are those of trial ``results["final_trial"]``, which a race may
        have chosen.
        """
        best = self.results["best"]
        return {} if best is None else dict(best["params"])

    @property
    def best_value(self) -> float | None:
        """The best trial's value of the monitor, in the monitor's unit; None where none completed.

        It is a little too good, since the trial was chosen for it: ``results["cv"]`` is fairer.
        """
        best = self.results["best"]
        return None if best is None else best["value"]

    @property
    def test(self) -> dict[str, float] | None:
        """Each test metric, of several refits its mean; None where nothing was tested."""
        test = self.results.get("test")
        return None if test is None else dict(test)

    def model(self, *, ensemble: bool = False, trust: bool = False) -> "pl.LightningModule":
        """The network that was trained on all training data, on the CPU and in eval mode.

        It is opened by the class that the study's configuration names.

        Args:
            ensemble: all such networks of ``study.n_refits`` as one, which gives their mean output.
            trust: also where another user or machine made the study, whose code then runs.

        Returns:
            The module, which takes batches as its data module gives them.

        Raises:
            UserError: where the study has no such network, where its class cannot be imported here
                or does not open its own checkpoint, and for another one's study.
        """
        part = "ensemble" if ensemble else "model"
        module: pl.LightningModule = self._stored(part, trust=trust)
        return module.eval()

    def data(self, *, trust: bool = False) -> "pl.LightningDataModule":
        """The data module of that network, with the normalisation that it was trained with.

        Call ``setup("test")`` before its test data are used.

        Args:
            trust: as in :meth:`model`.

        Returns:
            The data module; nothing is read before its ``setup``.

        Raises:
            UserError: as :meth:`model`.
        """
        data: pl.LightningDataModule = self._stored("data", trust=trust)
        return data

    def predictor(self, *, ensemble: bool = False, trust: bool = False) -> "Predictor":
        """What predicts by that network, as ``python -m lightning_hpo.predict`` does.

        Args:
            ensemble: as in :meth:`model`.
            trust: as in :meth:`model`.

        Returns:
            ``predict(x)`` (N,) and, of classes, ``probabilities(x)`` (N, K) of N new samples, which
            are stored as the study's data store theirs and get the study's preprocessing.

        Raises:
            UserError: as :meth:`model`.
        """
        return predictor(self.folder, ensemble=ensemble, trusted=trust, way_out="trust=True")

    def export(
        self, to: str = "onnx", *, ensemble: bool = False, out: _File = None, trust: bool = False
    ) -> "Exported":
        """Write that network as a file for others, as ``python -m lightning_hpo.export`` does.

        Args:
            to: "onnx", "torchscript", "torch" or "safetensors".
            ensemble: as in :meth:`model`.
            out: the file, whose ending is the format's; None: one in ``export`` in the study's
                folder. A model card is written beside it.
            trust: as in :meth:`model`.

        Returns:
            ``path``, ``card``, ``size`` in bytes, the largest ``difference`` from the outputs here,
            and latencies in milliseconds.

        Raises:
            UserError: where these outputs differ by more than 0.0001, where a package that the
                format needs is missing; else as :meth:`model`.
        """
        from lightning_hpo.export import export_study

        return export_study(
            self.folder, to, ensemble=ensemble, out=out, trusted=trust, way_out="trust=True"
        )

    def _repr_html_(self) -> str:
        return summary_html(self.folder, self.results)

    def _stored(self, part: str, *, trust: bool) -> Any:
        why = (self.results.get("ensemble") or {}).get("no_model")
        return from_checkpoint(
            self.folder, part, trusted=trust, way_out="trust=True", no_ensemble=why
        )


def load_study(study_dir: str | Path) -> StudyRecord:
    """Read the study in ``study_dir``, for example ``"studies/cnn_dropout_quick"``.

    Nothing is changed, no code of the study runs, and torch is not imported.

    Args:
        study_dir: the study's folder.

    Returns:
        Its results, trials and importances; its network and data when they are asked for.

    Raises:
        UserError: where there is no readable ``results.json``, which a study writes at its end, or
            where its trials cannot be read.
    """
    record = read_record(Path(study_dir).absolute())
    return StudyRecord(record.folder, record.results, record.trials, record.importances.shares)


# ---------------------------------------------------------------- a study from Python


def run(*overrides: str | Mapping[str, Any], config_dir: str | Path | None = None) -> StudyRecord:
    """Run a study to its end, as ``python -m lightning_hpo OVERRIDES...`` would here.

    It runs in processes of its own, from the working directory, and what it says appears as this
    program's output. They import what this program can import; a class of yours stands in a module,
    or is searched by :func:`search`. A study that exists is resumed.

    Args:
        overrides: mappings of keys to values and ranges, ``run({"data": "digits",
            "model.dropout": interval(0, 0.5), "study.n_trials": 20})``, or the command line's
            words, one text each without a shell's quotes, ``run("data=digits",
            "model.dropout=interval(0, 0.5)")``. In a mapping a text that is one of Hydra's ranges,
            ``"interval(0, 0.5)"``, is searched, and any other value stays what it is.
        config_dir: a folder of your own YAML files, in front of the package's.

    Returns:
        The study's record, as :func:`load_study` returns it.

    Raises:
        UserError: with the line that says why, where the study was refused or failed.
        KeyboardInterrupt: for an interrupt, here or of the study, which has been closed and resumes
            when it is run again. A second interrupt ends it at once.
    """
    caller.refuse_within()
    said = [word for given in overrides for word in _words(given)]
    more = [] if config_dir is None else ["--config-dir", str(config_dir)]
    with TemporaryDirectory(prefix="lightning_hpo_") as folder:
        file = Path(folder) / "told.jsonl"
        status = run_in_view([*more, *said], file)
        told = caller.told_in(file)
    if status in INTERRUPTED:
        raise KeyboardInterrupt
    if status or "folder" not in told:
        raise UserError(told.get("error") or _without_a_word(status))
    return load_study(told["folder"])


def _words(given: str | Mapping[str, Any]) -> list[str]:
    if isinstance(given, Mapping):
        return words(given)
    if given.startswith("-"):
        raise UserError(
            f"run() takes overrides such as study.n_trials=20, got {given!r}; give a folder of"
            " configuration as config_dir=..., and ask questions on the command line."
        )
    return [given]


def _without_a_word(status: int) -> str:
    if not status:
        return "run() starts a study, but these words started none; use the command line for them."
    how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
    return f"the study's process {how}; its output says more. Run it again to go on with the study."


# ---------------------------------------------------------------- what is done with studies


def compare(
    *study_dirs: "str | Path | StudyRecord | Sequence[str | Path | StudyRecord]",
) -> "list[Row]":
    """Put two or more studies side by side, as ``python -m lightning_hpo.compare`` prints them.

    Intervals are of Student's t, those of folds corrected for their overlap (Nadeau and Bengio
    2003, Machine Learning 52).

    Args:
        study_dirs: their folders or records, or one list of them. Those of one study that differ
            only in its seed share a row; rows keep the order given.

    Returns:
        Rows with ``name``, ``folders`` and ``metrics``, for example ``val/loss``, and of each
        metric ``row.values(metric)``, ``row.interval(metric)`` (of the mean, at 95 %) and
        ``row.minus(other, metric)`` with ``mean``, ``low``, ``high``, ``p`` and ``within_noise``,
        which judges that pair alone, while the command judges several pairs together.

    Raises:
        UserError: for fewer than two different folders, for one without readable results, and where
            no study has had a cross-validation or a test.
    """
    # Brings scipy, for which nobody should wait who starts a study.
    from lightning_hpo.results.rows import read_studies, rows_of
    from lightning_hpo.results.samples import required_metrics

    given: list[Any] = []
    for each in study_dirs:
        given += each if isinstance(each, list | tuple) else [each]
    folders = [s.folder if isinstance(s, StudyRecord) else Path(s) for s in given]
    rows = rows_of(read_studies(folders))
    required_metrics(rows)
    return rows


def rerun(study_dir: str | Path, number: int, *, trust: bool = False) -> Comparison:
    """Run one trial of a study again: with its configuration, seed and threads, in this process.

    The study stays as it is; what the trial leaves lies in ``trials/<number>/rerun_<n>``. The
    random state of this process is the trial's afterwards.

    Args:
        study_dir: the study's folder.
        number: the trial's, from 0. A pruned trial is repeated up to where it was pruned.
        trust: also where another user or machine made the study, whose code then runs.

    Returns:
        ``recorded`` and ``repeated``, the reported values in their order, and whether they are
        ``equal`` to the last bit.

    Raises:
        UserError: where there is no such study or trial, where it has reported nothing, its record
            is damaged, or another one made the study.
    """
    try:
        return again.rerun(Path(study_dir), number, trust=trust, way_out="trust=True")
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(one_line(error)) from error


def unlock(study_dir: str | Path, *, trust: bool = False) -> "Opening":
    """Open a study's lock box: test its final network on what ``data.lock_box`` kept from it all.

    Open it once, when nothing will be changed any more: each opening is added to ``lock_box.json``
    in the study's folder, and the study's report tells of it when it is built again.

    Args:
        study_dir: the study's folder.
        trust: also where another user or machine made the study, whose code then runs.

    Returns:
        The opening's ``number``, 1 for a box that nobody had opened, its ``metrics``, ``n_samples``
        and the ``intervals`` at 95 % of the metrics that have one.

    Raises:
        UserError: where the study has no lock box or no final network, where its data are gone or
            have changed, or where another one made it.
    """
    from lightning_hpo.unlock import open_box

    try:
        return open_box(Path(study_dir), trust=trust, way_out="trust=True")
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(one_line(error)) from error
