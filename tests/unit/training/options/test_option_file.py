from collections.abc import Callable
from pathlib import Path

import pytest

from training.errors import OptionsUnusable
from training.options.option_file import read_options, toml_of
from training.options.train_config import TrainConfig

New = Callable[..., TrainConfig]


def written(folder: Path, text: str) -> Path:
    path = folder / "options.toml"
    path.write_text(text)
    return path


def test_dashes_and_underscores_name_the_same_option(tmp_path: Path) -> None:
    path = written(tmp_path, 'task = "digits"\nbatch-size = 10\nweight_decay = 0.5\ndeep = false\n')
    assert read_options(TrainConfig, path) == {
        "task": "digits", "batch_size": 10, "weight_decay": 0.5, "deep": False
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("batch-sise = 10", "unknown option 'batch-sise'; did you mean batch_size"),
        ("[optimization]\nlr = 1.0", "unknown option 'optimization'"),
        ("batch-size = 10\nbatch_size = 20", "'batch_size' is given twice"),
        ("lr = ", "is no TOML"),
        ("lr = 1\nlr = 2", "is no TOML"),
    ],
)
def test_what_is_no_option_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(OptionsUnusable, match=complaint) as caught:
        read_options(TrainConfig, written(tmp_path, text))
    assert "options.toml" in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(OptionsUnusable, match=r"nowhere\.toml: No such file"):
        read_options(TrainConfig, tmp_path / "nowhere.toml")


def test_what_is_written_reads_back_as_the_same_options(new_config: New, tmp_path: Path) -> None:
    config = new_config(
        data=Path('a "quoted"/ünicode\\\x7f\U0001f600'),
        weight_decay=1e-9,
        deep=False,
        publish=False,
        epochs=3,
    )
    text = toml_of(config, leave_out=frozenset({"fresh"}))
    again = TrainConfig.model_validate(read_options(TrainConfig, written(tmp_path, text)))
    assert again == config
    assert again.of_the_key() == config.of_the_key()
    assert "fresh" not in text
    assert text.index("# what to train") < text.index("# optimization") < text.index("# publishing")
