from collections import Counter

import pytest

from training.data.catalogue import TASKS, close_names, task_named

CLASSES = (
    100, 102, 47, 102, 37, 10, 397,
    2, 10, 45, 5,
    8, 6, 6, 4, 16, 16, 18, 9,
    200, 555, 102, 120, 196,
)  # fmt: skip
PROMPTS = (10, 10, 10, 1, 1, 50, 5, 100, 100, 10, 1, 50, 200, 100, 50, 10, 50, 200, 200)


def test_the_catalogue_holds_what_was_published_in_the_order_of_the_table() -> None:
    tasks = list(TASKS.values())
    assert [task.class_count for task in tasks] == list(CLASSES)
    assert [task.vpt_prompts for task in tasks] == [*PROMPTS, *[None] * 5]
    assert Counter(task.group for task in tasks) == {
        "natural": 7, "specialized": 4, "structured": 8, "fgvc": 5,
    }  # fmt: skip
    assert [task.test_count for task in tasks[-5:]] == [5_794, 24_633, 6_149, 8_580, 8_041]
    assert TASKS["kitti"].test_count == 711
    assert [task.title for task in tasks][:3] == ["CIFAR-100", "Caltech101", "DTD"]
    assert {task.benchmark for task in tasks[:19]} == {"VTAB-1k"}
    assert {task.benchmark for task in tasks[19:]} == {"FGVC"}


def test_every_task_says_where_its_data_is_and_names_nothing_twice() -> None:
    for name, task in TASKS.items():
        assert task.name == name
        assert task.source.startswith("http")
        assert task.licence
        for known in (name, *task.aliases):
            assert task_named(known) is task
            assert task_named("vtab-" + known.upper().replace("_", "-")) is task
    assert len({task.title for task in TASKS.values()}) == 24


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("cifar100", "cifar"),
        ("vtab-cifar(num_classes=100)", "cifar"),
        ('vtab-clevr(task="closest_object_distance")', "clevr_dist"),
        ('vtab-smallnorb(predicted_attribute="label_azimuth")', "smallnorb_azi"),
        ("flowers102", "oxford_flowers102"),
        ("OxfordFlowers", "oxford_flowers102"),
        ("pets", "oxford_iiit_pet"),
        ("camelyon", "patch_camelyon"),
        ("retinopathy", "diabetic_retinopathy"),
        ("clevr-count", "clevr_count"),
        ("dsprites-location", "dsprites_loc"),
        ("smallnorb-azimuth", "smallnorb_azi"),
        ("CUB_200_2011", "cub"),
        ("StanfordCars", "cars"),
    ],
)
def test_aliases(name: str, meant: str) -> None:
    assert task_named(name) is TASKS[meant]


def test_an_unknown_name_is_nobody() -> None:
    assert task_named("flowers") is None
    assert task_named("") is None


@pytest.mark.parametrize(
    ("name", "meant"),
    [("eurosta", "eurosat"), ("flowers", "fgvc_flowers"), ("smalnorb-azi", "smallnorb_azi")],
)
def test_close_names(name: str, meant: str) -> None:
    assert meant in close_names(name)


def test_names_of_others_are_suggested_too_and_nothing_far_off() -> None:
    assert close_names("digit", ("digits",)) == ("digits",)
    assert close_names("qwxyz") == ()
