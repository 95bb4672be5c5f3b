import shlex
from pathlib import Path

from training.options.train_config import TrainConfig
from training.run.publish import published_lines


def test_the_advice_is_a_command_whatever_the_stores_name() -> None:
    config = TrainConfig(task="digits", name="paint")
    said, tried, served = published_lines(config, Path("my stores/one"), 3, of=", seed 1,")
    assert said == "published: paint version 3, seed 1, in my stores/one"
    assert shlex.split(tried.removeprefix("try it: ")) == [
        "dvpt-adapters", "classify", "--store", "my stores/one", "paint", "PICTURE"
    ]  # fmt: skip
    assert shlex.split(served.removeprefix("serve it: ")) == ["dvpt-serve", "--store", "my stores/one"]


def test_what_was_not_published_says_why() -> None:
    (asked,) = published_lines(TrainConfig(task="digits", publish=False), Path("x"), None)
    assert asked == "not published: --no-publish"
    (cannot,) = published_lines(TrainConfig(task="digits", method="full"), Path("x"), None)
    assert cannot.startswith("not published: a service cannot run full; the trained tensors are in")
