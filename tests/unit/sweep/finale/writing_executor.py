"""A final job whose fits do nothing but write their results, and who watches it."""

import zipfile

from hydra.core.utils import JobReturn, JobStatus

from lightning_hpo.protocol.parts import Asked
from lightning_hpo.sweep.finale.plan import Finale


class WritingExecutor:
    """Does what a job would do: writes its result, unless told to fail."""

    n_slots = 2

    def __init__(self, final_dir, fail=None):
        self.final_dir, self.fail = final_dir, dict(fail or {})
        self.queue, self.ran, self.told = [], [], []

    @property
    def n_free(self):
        return self.n_slots - len(self.queue)

    def submit(self, job):
        self.queue.append(job)
        self.told.append(job.overrides)

    def wait(self, timeout_s=None):
        job = self.queue.pop(0)
        told = dict(o.split("=", 1) for o in job.overrides)
        name = told["hydra.sweep.subdir"].removeprefix("final/")
        number = {"fold": told["study.fold"]}.get(told["study.job"], told["study.refit"])
        self.ran.append((name, told["study.job"], number, job.threads))
        if name in self.fail:
            return [(job, self.fail.pop(name))]
        folder = self.final_dir / name
        folder.mkdir(parents=True, exist_ok=True)
        number = told.get("study.trial_number", "null")
        (folder / "result.json").write_text(f'{{"number": {number}}}')
        if name == "refit":
            with zipfile.ZipFile(self.final_dir / "model.ckpt", "w") as checkpoint:
                checkpoint.writestr("weights", b"0123")
        ret = JobReturn(status=JobStatus.COMPLETED)
        ret.return_value = {}
        return [(job, ret)]


class Told:
    """An observer that keeps what it is told."""

    def __init__(self):
        self.lines = []

    def fit_started(self, name, slot, folder):
        left_over = (folder / "progress.json").is_file()
        self.lines.append(("started", name, slot, folder.name, left_over))

    def fit_ended(self, name, result):
        self.lines.append(("ended", name, result))


def finale(
    final_dir, executor, *overrides, n_splits=2, say=len, trial=None, observer=None, **asked
) -> Finale:
    overrides = tuple(overrides or ("x=1",))
    asked = Asked(n_splits, shown=asked.pop("showcase", {}), **asked)
    return Finale(executor, final_dir, overrides, asked, say, trial=trial, observer=observer)
