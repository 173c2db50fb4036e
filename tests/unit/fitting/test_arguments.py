"""What a class of the user's own is handed, and the search of a parameter that nothing reads."""

import pytest
from omegaconf import OmegaConf

from lightning_hpo.errors import UserError
from lightning_hpo.fitting import arguments
from lightning_hpo.flavour import pl
from lightning_hpo.models.fc import FCClassifier


class OwnOptimizer(pl.LightningModule):
    def __init__(self, lr: float = 0.1, **more) -> None:
        super().__init__()


class Wider(FCClassifier):
    def __init__(self, *, width: int = 8, **kwargs) -> None:
        super().__init__(neurons_1=width, **kwargs)


class Chooses:
    """Makes an object of another class, as the arguments ask for."""

    def __new__(cls, width: int, optimizer=None):
        return (OwnOptimizer if optimizer is None else Wider)(width)


def build_net(optimizer, **more):
    return optimizer, more


def node(target, **given):
    return OmegaConf.create({"_target_": f"{__name__}.{target.__name__}", **given})


@pytest.mark.parametrize(
    ("target", "name", "expected"),
    [
        (OwnOptimizer, "lr", True),
        # Lightning's own **kwargs, at the end of the line, ask for nothing.
        (OwnOptimizer, "optimizer", False),
        (Wider, "width", True),
        (Wider, "optimizer", True),
        (Wider, "num_classes", True),
        (Wider, "augment", False),
        (Chooses, "width", True),
        (Chooses, "optimizer", True),
        (Chooses, "scheduler", False),
        (build_net, "optimizer", True),
        (build_net, "scheduler", False),
    ],
)
def test_what_a_target_takes(target, name, expected):
    assert arguments.takes(node(target), name) is expected


@pytest.mark.parametrize("own", [{"lr": 0.5}, None])
def test_what_a_configuration_gives_wins_also_null(own):
    ours = {"optimizer": lambda: "ours", "num_classes": lambda: 10, "scheduler": lambda: "s"}
    assert arguments.handed(node(build_net, optimizer=own), ours) == {}
    assert arguments.handed(node(build_net), ours) == {"optimizer": "ours"}


class Data(pl.LightningDataModule):
    def __init__(self, folder: str, batch_size: int = 32, shape=(1, 8), shuffle: bool = True):
        super().__init__()


# Rule: a subclass's default counts, of what it passes on the base's; what has none has none, and
# what is no plain value could not be searched.
def test_the_defaults_of_model_and_data():
    found = arguments.defaults(OmegaConf.create({"model": node(Wider), "data": node(Data)}))
    assert {key: value for key, value in found.items() if key.startswith("data.")} == {
        "data.batch_size": 32,
        "data.shuffle": True,
    }
    assert found["model.width"] == 8
    assert found["model.dropout"] == 0.0
    assert found["model.optimizer"] is None


# Rule: study.hand_over says what is handed over; a name that there is not is one line.
@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (True, set(arguments.OURS)),
        (None, set()),
        (False, set()),
        ([], set()),
        (["seed"], {"seed"}),
        ("split", {"split"}),
    ],
)
def test_what_is_offered(asked, expected):
    cfg = OmegaConf.create({"study": {"hand_over": asked}})
    assert set(arguments.offered(cfg)) == expected
    ours = dict.fromkeys(arguments.OURS, lambda: "ours")
    given = arguments.handed(node(build_net), ours, offered=arguments.offered(cfg))
    assert given.keys() == expected & {"optimizer"}


def test_all_is_offered_where_nothing_is_said_and_what_there_is_not_is_refused():
    assert arguments.offered(OmegaConf.create({})) == arguments.OURS
    with pytest.raises(UserError, match=r"list of optimizer, .*got study.hand_over=\['lr'\]"):
        arguments.offered(OmegaConf.create({"study": {"hand_over": ["lr"]}}))


def test_what_is_not_handed_over_has_no_effect_and_is_not_searched():
    study = {"study": {"hand_over": ["seed"]}}
    cfg = config(node(Wider), scheduler={"warmup": 0.1}, **study)
    with pytest.raises(UserError, match=r"study.hand_over leaves out .*scheduler=none"):
        arguments.require_effect(cfg, "scheduler", of="model")
    assert "study.hand_over leaves it out" in refusal(cfg, "optimizer.lr")
    with pytest.raises(UserError, match="cross-validated must be handed 'split'"):
        arguments.require_offered(cfg, "split", "cross-validated")
    arguments.require_offered(cfg, "seed", "drawn")


def config(model, **more):
    data = node(OwnOptimizer)
    return OmegaConf.create({"model": model, "data": data, "optimizer": {"lr": 0.1}, **more})


def refusal(cfg, *searched: str, conditions: tuple[str, ...] = ()) -> str:
    with pytest.raises(UserError) as refused:
        arguments.require_read(searched, conditions, arguments.unread(cfg))
    return str(refused.value)


def accepted(cfg, *searched: str, conditions: tuple[str, ...] = ()) -> None:
    arguments.require_read(searched, conditions, arguments.unread(cfg))


def test_a_searched_optimizer_that_the_model_does_not_take():
    cfg = config(node(OwnOptimizer, lr=0.1, width=4))
    assert "optimizer.lr is not" in refusal(cfg, "model.lr", "optimizer.lr")
    assert "search its own parameters (model.lr, model.width)" in refusal(cfg, "optimizer")
    accepted(cfg, "model.lr")


def test_a_searched_optimizer_beside_one_of_the_models_own():
    cfg = config(node(build_net, optimizer={"lr": 0.1}))
    assert "is given model.optimizer; search model.optimizer.lr instead" in refusal(
        cfg, "optimizer.lr"
    )
    accepted(cfg, "model.optimizer.lr")
    accepted(config(node(build_net)), "optimizer.lr")


# Rule: the model may read the group by an interpolation, whatever its constructor takes.
@pytest.mark.parametrize(
    "text", ["${optimizer.lr}", "${..optimizer.lr}", "${oc.env:A,${optimizer.lr}}"]
)
def test_a_parameter_that_another_one_refers_to_is_read(text):
    accepted(config(node(OwnOptimizer, lr=text)), "optimizer.lr")


def test_a_searched_augmentation_that_the_data_do_not_take():
    assert "takes no 'augment'" in refusal(config(node(build_net), augment={}), "augment")


def test_a_parameter_of_no_part_must_be_referred_to():
    cfg = config(node(OwnOptimizer), width=8)
    assert "write ${width} where it is meant" in refusal(cfg, "+width")
    accepted(cfg, "width", conditions=("width",))
    accepted(config(node(OwnOptimizer, lr="${width}"), width=8), "width")


def test_a_group_without_effect_is_refused():
    schedule = {"scheduler": {"warmup": 0.1}}
    with pytest.raises(UserError, match=r"must take the argument 'scheduler'.*use scheduler=none"):
        arguments.require_effect(config(node(OwnOptimizer), **schedule), "scheduler", of="model")
    own = config(node(Wider, scheduler=None), **schedule)
    with pytest.raises(UserError, match=r"model.scheduler is given .*use scheduler=none"):
        arguments.require_effect(own, "scheduler", of="model")
    arguments.require_effect(config(node(Wider), **schedule), "scheduler", of="model")
    arguments.require_effect(config(node(OwnOptimizer), scheduler={}), "scheduler", of="model")
