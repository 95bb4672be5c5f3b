"""Which version a path means, and what a model is said to take and give."""

import json

import pytest

from adapters.config import BackboneConfig
from adapters.errors import InvalidName, LabelNotFound, VersionNotFound
from adapters.kinds.layout import Layout
from adapters.kinds.linear.options import LinearOptions
from adapters.store.task_record import TaskRecord
from adapters.vit.backbone import Backbone
from service.errors import BadQuery
from service.http.protocol_v2.model import model_config, model_metadata, version_asked, version_meant
from service.residents.resident import Resident
from service.residents.task_state import TaskState
from tests.support.artifacts import MakeArtifact

RECORD = TaskRecord("pets", (1, 2, 3), {"stable": 2, "canary": 3})


@pytest.fixture
def config(backbone: Backbone) -> BackboneConfig:
    return backbone.config


@pytest.mark.parametrize(
    ("path", "version", "label", "meant"),
    [({}, None, None, 2), ({"version": "1"}, 1, None, 1), ({"version": "canary"}, None, "canary", 3)],
)
def test_a_path_names_a_version_or_a_label(
    path: dict[str, str], version: int | None, label: str | None, meant: int
) -> None:
    assert version_asked(path) == (version, label)
    assert version_meant(TaskState(RECORD), version, label) == meant


@pytest.mark.parametrize("text", ["0", "00", "9" * 10, "9" * 5000])
def test_a_number_that_is_no_version(text: str) -> None:
    with pytest.raises(BadQuery, match="a version is a number from 1"):
        version_asked({"version": text})


@pytest.mark.parametrize("text", ["-1", "1.5x/", "Stable", "١", "", "a..b"])
def test_a_name_that_is_no_label(text: str) -> None:
    with pytest.raises(InvalidName):
        version_asked({"version": text})


def test_until_a_label_s_new_version_is_ready_the_one_before_is_meant(
    make_artifact: MakeArtifact,
) -> None:
    config, layout = make_artifact().config, Layout(LinearOptions())
    serving = {"stable": Resident("pets", 1, config, layout, {})}
    assert version_meant(TaskState(RECORD, serving=serving), None, None) == 1


def test_versions_and_labels_that_are_not_there() -> None:
    with pytest.raises(VersionNotFound, match="no version 4; it has: 1, 2, 3"):
        version_meant(TaskState(RECORD), 4, None)
    with pytest.raises(LabelNotFound, match="no label 'blue'; it has: canary, stable"):
        version_meant(TaskState(RECORD), None, "blue")
    with pytest.raises(LabelNotFound, match="no label 'stable'; it has: none"):
        version_meant(TaskState(TaskRecord("pets", (1,), {})), None, None)


def test_metadata_and_configuration_say_the_same(make_artifact: MakeArtifact, config: BackboneConfig) -> None:
    adapter = make_artifact(class_count=4).config
    metadata, triton = model_metadata(RECORD, adapter, config), model_config(RECORD, adapter, config, 64)

    [image], [given] = metadata["inputs"], triton["input"]
    assert (image["name"], image["shape"]) == (given["name"], [-1, *given["dims"]])
    assert f"TYPE_{image['datatype']}" == given["data_type"]
    [probabilities], [taken] = metadata["outputs"], triton["output"]
    assert (probabilities["name"], probabilities["shape"]) == (taken["name"], [-1, *taken["dims"]])
    assert f"TYPE_{probabilities['datatype']}" == taken["data_type"]
    assert json.loads(triton["parameters"]["labels"]["string_value"]) == list(adapter.classes)
    assert json.loads(metadata["parameters"]["mean"]) == list(config.mean)
    assert metadata["versions"] == ["1", "2", "3"]
