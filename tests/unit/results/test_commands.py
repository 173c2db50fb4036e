"""The commands that go on with a study."""

from lightning_hpo.results.commands import search_on


def test_to_search_on_replaces_the_total_whichever_key_gave_it() -> None:
    command = "python -m lightning_hpo +experiment=x study.n_trials=100 'study.name=a b'"
    assert search_on(command, total=100) == (
        "python -m lightning_hpo +experiment=x 'study.name=a b' study.n_trials=200"
    )
    stock = "python -m lightning_hpo hydra.sweeper.n_trials=12 x=1"
    assert search_on(stock, total=12) == "python -m lightning_hpo x=1 study.n_trials=24"


# Rule: of another application the sweeper's key alone is ours, whatever its own are called.
def test_another_applications_search_goes_on_by_the_sweepers_key() -> None:
    command = "python train.py -m study.n_trials=7 hydra.sweeper.n_trials=12"
    assert search_on(command, total=12, is_guest=True) == (
        "python train.py -m study.n_trials=7 hydra.sweeper.n_trials=24"
    )
