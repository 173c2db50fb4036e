"""What is typed for a group and is no option's name, in one line."""

import pytest

from lightning_hpo.composition.typed import mistake_in
from lightning_hpo.entry import config_dir


@pytest.mark.parametrize(
    ("argument", "way_out"),
    [
        ("callbacks=null", "callbacks=none leaves it out"),
        ("callbacks=[null]", "callbacks=none leaves it out"),
        ("scheduler=null", "scheduler=none leaves it out"),
        ("pruner=null", "pruner=none leaves it out"),
        ("augment=null", "augment=none leaves it out"),
        ("optimizer=null", "there are adam, adamw, radam, sgd"),
        ("model=inf", "there are cnn, fc, mlp, torchvision"),
        ("data=3", "there are cifar10, csv, curve, digits, fashion_mnist, images, table"),
    ],
)
def test_the_mistake_names_the_group_and_the_way_out(argument, way_out):
    mistake = mistake_in(["--config-dir", "conf", "seed=1", argument], config_dir())
    group = argument.partition("=")[0]
    assert (
        str(mistake)
        == f"{group} must be the name of one of its options, got {argument}; {way_out}."
    )


def test_a_group_of_the_users_own_is_known_too(tmp_path):
    (tmp_path / "tracker").mkdir()
    (tmp_path / "tracker" / "csv.yaml").touch()
    mistake = mistake_in(["--config-dir", str(tmp_path), "tracker=null"], config_dir())
    assert "got tracker=null; there are csv." in str(mistake)


def test_an_added_group_needs_a_name_too():
    mistake = mistake_in(["+experiment=null"], config_dir())
    assert "experiment must be the name of one of its options, got +experiment=null" in str(mistake)


@pytest.mark.parametrize(
    "argument",
    [
        "callbacks=[]",
        "callbacks=[early_stopping]",
        "model=cnn",
        "model=cnn,fc",
        "model={a: 1}",
        "model='3'",
        "model.neurons_1=4",
        "seed=null",
        "~scheduler",
        "--cfg=job",
        "a=)",
    ],
)
def test_nothing_else_is_taken_for_one(argument):
    assert mistake_in([argument], config_dir()) is None
