"""How trials and studies are marked: names that stand in databases of studies long done."""

from lightning_hpo.protocol import attributes


# Rule: a recorded study is read years later, so what it was marked by keeps its name.
def test_the_marks_of_recorded_studies_keep_their_names() -> None:
    marks = {name: value for name, value in vars(attributes).items() if name.isupper()}
    assert marks == {
        "FORCED_RESUMES": "forced_resumes",
        "FORCED_RESUME": "forced_resume",
        "CONFIGURED": "configured",
        "CONTINUES": "continues",
        "STOPPED_AFTER_FOLD": "stopped_after_fold",
        "RETRIED": "retried",
        "MISTAKE": "mistake",
    }
