"""The options of a training run together: what they must agree on, and what follows from them."""

from typing import Any, Self

from pydantic import field_validator, model_validator

from adapters.config import PreprocessConfig
from adapters.errors import InvalidName
from adapters.kinds.affine.options import AffineOptions
from adapters.kinds.bottleneck.options import DEFAULT_WIDTH, BottleneckOptions
from adapters.kinds.combined.options import CombinedOptions
from adapters.kinds.dvpt.options import DvptOptions
from adapters.kinds.linear.options import LinearOptions
from adapters.kinds.options import KindOptions
from adapters.store.files import as_location
from adapters.store.names import check_label_name, check_task_name
from training.methods.table import METHODS, names, rows_of
from training.options.train_options import TrainOptions

HUB = "hf://"


class TrainConfig(TrainOptions):
    """Options of `dvpt-train` that agree with each other."""

    @field_validator("store", mode="before")
    @classmethod
    def _path_or_url(cls, store: object) -> object:
        return as_location(store) if isinstance(store, str) else store

    @field_validator("method")
    @classmethod
    def _of_the_table(cls, value: str) -> str:
        if value not in METHODS:
            raise ValueError(f"no method '{value}'; there are {', '.join(METHODS)}")
        return value

    @model_validator(mode="before")
    @classmethod
    def _dataset_by_address(cls, values: Any) -> Any:
        address = values.get("data") if isinstance(values, dict) else None
        if not isinstance(address, str) or not address.startswith(HUB):
            return values
        return values | {"data": None, "dataset": address.removeprefix(HUB)}

    @model_validator(mode="after")
    def _options_agree(self) -> Self:
        try:
            check_task_name(self.published_name)
            check_label_name(self.label)
        except InvalidName as error:
            raise ValueError(str(error)) from error
        if self.eval_split == "val" and self.train_split == "trainval":
            raise ValueError("eval_split val needs train_split train: val must not be trained on")
        if self.val_every and self.train_split == "trainval":
            raise ValueError("val_every needs train_split train: val must not be trained on")
        if self.method == "linear" and (self.head_layers or 1) > 1:
            raise ValueError("a linear head has one map; with more the method is mlp")
        if self.epochs == 0 and self.method != "linear":
            raise ValueError(f"epochs must be at least 1: without training {self.method} has nothing to say")
        if self.publish and not all(row.served for row in rows_of(self.method)):
            raise ValueError(
                f"{self.method} cannot be published: a service shares one frozen backbone and runs adapters "
                f"of {', '.join(names(lambda row: row.served))}; without --publish it is trained and kept "
                "as a checkpoint"
            )
        return self

    @model_validator(mode="after")
    def _what_is_asked_can_be_had(self) -> Self:
        if self.dataset is not None and self.data is not None:
            raise ValueError("data and dataset both say which pictures; give one")
        if self.shots is not None and self.train_percent < 100:
            raise ValueError("shots and train_percent both thin the training pictures; give one")
        if self.patience and not self.val_every:
            raise ValueError("patience needs val_every (and so train_split train): it waits for a better val")
        if self.random_shift and self.random_crop != "none":
            raise ValueError("random_crop and random_shift both move the pictures; give one")
        rows = rows_of(self.method)
        served = all(row.served for row in rows)
        if self.drop_path and not any(row.through_blocks for row in rows):
            raise ValueError(
                f"drop_path has no use for {self.method}, which does not train through the blocks"
            )
        if self.warm_start is not None and not served:
            raise ValueError(f"warm_start needs a published adapter, and {self.method} cannot be published")
        if self.calibrate and "calibrate" in self.model_fields_set:
            self._check_calibration()
        return self

    def _check_calibration(self) -> None:
        """What is asked for by name has to be possible; as a default it is done where it can be."""
        if not all(row.served for row in rows_of(self.method)):
            raise ValueError(f"calibrate folds into a published head, and {self.method} cannot be published")
        if self.eval_split == "val":
            raise ValueError("calibrate needs eval_split test: the temperature is fitted on val")

    @property
    def published_name(self) -> str:
        """The task's name in the store."""
        return self.name or self.task

    @property
    def augments(self) -> bool:
        """Whether training pictures are changed at random; of a shift there is more to be known."""
        chances = (self.flip, self.vertical_flip, self.rand_augment, self.random_erasing)
        return self.random_crop != "none" or any((*chances, self.mixup, self.cutmix))

    @property
    def publishes(self) -> bool:
        """Whether the run ends with a published adapter."""
        served = all(row.served for row in rows_of(self.method))
        return served if self.publish is None else self.publish

    @property
    def kind_options(self) -> KindOptions:
        """The options as an adapter records them."""
        bottleneck = BottleneckOptions(width=self.bottleneck_width or DEFAULT_WIDTH)
        of_kind: dict[str, KindOptions] = {
            "linear": LinearOptions(),
            "dvpt": self.prompts,
            "affine": AffineOptions(biases=self.method == "bias"),
            "bottleneck": bottleneck,
            "combined": CombinedOptions(dvpt=self.prompts, bottleneck=bottleneck),
        }
        return of_kind[METHODS[self.method].kind]

    @property
    def prompts(self) -> DvptOptions:
        """Prompts and Meta-Net; VPT has none of the latter."""
        count = self.prompt_count or DvptOptions().count
        if METHODS[self.method].prompts == "static":
            return DvptOptions(count=count, deep=self.deep, meta_net="none")
        return DvptOptions(
            count=count,
            deep=self.deep,
            meta_net=self.meta_net,
            meta_layers=self.meta_layers,
            meta_hidden=self.meta_hidden,
            meta_input=self.meta_input,
            meta_norm=self.meta_norm,
            dynamic_layers=self.dynamic_layers,
        )

    @property
    def preprocess(self) -> PreprocessConfig:
        """How pictures are fitted to the input."""
        return PreprocessConfig(
            fit=self.fit, interpolation=self.interpolation, resize_ratio=self.resize_ratio
        )

    @classmethod
    def unkeyed(cls) -> set[str]:
        """The options that do not change the trained tensors: places, names, what happens afterwards."""
        return cls._marked("keyed", False)

    def of_the_key(self) -> dict[str, Any]:
        """The options by whose values a run is known: what its method uses, and what has a content is not."""
        # Defaults are left out, so that a knob added later does not orphan the runs of today.
        by_content, idle = self._marked("by_content", True), METHODS[self.method].idle
        if self.train_split == "trainval" and self.hold_back and "hold_back" not in idle:
            by_content -= {"val_fraction", "split_seed"}  # they say which of the pictures are held back, too
        others = self.unkeyed() | by_content | idle
        return self.model_dump(mode="json", exclude=others, exclude_defaults=True)

    @classmethod
    def _marked(cls, mark: str, value: bool) -> set[str]:
        extras = {name: field.json_schema_extra for name, field in cls.model_fields.items()}
        return {name for name, extra in extras.items() if isinstance(extra, dict) and extra[mark] is value}


def can_be_joined(config: TrainConfig) -> bool:
    """Whether trials of such options can share a forward pass."""
    return bool(METHODS[config.method].joint) and not config.deterministic and not config.val_every
