"""The options of `dvpt-train`, those of a search among them."""

from collections.abc import Sequence
from typing import Any, Literal, Self

from pydantic import field_validator, model_validator

from training.methods.table import AUTO, METHODS, method_help, names
from training.options.knob import COMMON, knob
from training.options.train_config import TrainConfig, can_be_joined
from training.options.train_options import HIGHEST_SEED

SEARCH = "search (with --search)"
JOINED = " and ".join(names(lambda row: row.joint))
CHOSEN_BY_THE_SEARCH = ("lr", "weight_decay", "train_split", "eval_split", "val_every", "patience")
OF_ONE_METHOD = ("lr", "head_layers", "warm_start")
CHOSEN_BY_AUTO = ("train_split", "eval_split", "val_every", "patience")
OF_A_SEARCH = ("grid", "grid_lr", "grid_weight_decay", "seeds", "joint_trials")


class SearchConfig(TrainConfig):
    """Options of `dvpt-train`; on val `search` chooses learning rate and weight decay, `auto` the method."""

    method: str = knob("dvpt-plus", COMMON, method_help(with_auto=True), choices=(AUTO, *METHODS))

    search: bool = knob(
        False,
        SEARCH,
        "choose learning rate and weight decay on val, train on all with them, test once",
        keyed=False,
    )
    grid: Literal["modern", "vpt"] = knob(
        "modern", SEARCH, "modern: AdamW, 3 x 2 values about the method's own; vpt: those of VPT", keyed=False
    )
    grid_lr: tuple[float, ...] | None = knob(
        None, SEARCH, "learning rates instead of the grid's: 0.01,0.003", keyed=False
    )
    grid_weight_decay: tuple[float, ...] | None = knob(
        None, SEARCH, "weight decays instead of the grid's: 0.01,0.0001", keyed=False
    )
    seeds: int = knob(
        1,
        SEARCH,
        "seeds of the final training, from --seed on; papers take 3 or 5",
        keyed=False,
        ge=1,
        le=100,
    )

    joint_trials: int = knob(
        1,
        SEARCH,
        f"trials of {JOINED} that share each forward pass; more than one pays on a GPU",
        keyed=False,
        ge=1,
        le=256,
    )

    @model_validator(mode="before")
    @classmethod
    def _vpt_decays_no_biases(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("grid") == "vpt":
            return {"decay_biases": False} | data
        return data

    @field_validator("method")
    @classmethod
    def _of_the_table(cls, value: str) -> str:
        return value if value == AUTO else super()._of_the_table(value)

    @field_validator("grid_lr", "grid_weight_decay", mode="before")
    @classmethod
    def _from_a_list(cls, value: Any) -> Any:
        return tuple(value.split(",")) if isinstance(value, str) else value

    @field_validator("grid_lr", "grid_weight_decay")
    @classmethod
    def _values_of_a_grid(cls, value: Sequence[float] | None) -> Sequence[float] | None:
        if value is not None and (not value or min(value) < 0 or len(set(value)) < len(value)):
            raise ValueError(
                f"expected different values of at least 0, separated by commas, not {list(value)}"
            )
        return value

    @model_validator(mode="after")
    def _auto_decides(self) -> Self:
        if self.method != AUTO:
            return self
        if self.search:
            raise ValueError("search is for one method; let auto choose it, and search with that one then")
        fields = type(self).model_fields
        given = {name for name in self.model_fields_set if getattr(self, name) != fields[name].default}
        for name in given.intersection(OF_ONE_METHOD):
            raise ValueError(f"{name} is for one method, and auto tries several, each with its own")
        for name in given.intersection(CHOSEN_BY_AUTO):
            raise ValueError(f"{name} is auto's to choose: it tries on train and val, and tests once")
        return self

    @model_validator(mode="after")
    def _the_search_decides(self) -> Self:
        given = self.model_fields_set
        idle = [name for name in OF_A_SEARCH if name in given]
        if idle and not self.search:
            raise ValueError(f"{idle[0]} needs search")
        fixed = [name for name in CHOSEN_BY_THE_SEARCH if name in given]
        if fixed and self.search:
            raise ValueError(
                f"{fixed[0]} is the search's to choose; grid_lr and grid_weight_decay give values"
            )
        if self.grid == "vpt" and "optimizer" in given:
            raise ValueError("optimizer goes with the grid: VPT's has SGD or AdamW by method")
        if self.joint_trials > 1 and not can_be_joined(self):
            raise ValueError(
                f"joint_trials is for {JOINED}, whose rows bring their prompts, without deterministic"
            )
        if self.seed + self.seeds - 1 > HIGHEST_SEED:
            raise ValueError(f"seed and seeds go beyond the highest seed, {HIGHEST_SEED}")
        if self.grid_lr is not None and not min(self.grid_lr) > 0:
            raise ValueError("a learning rate of grid_lr must be above 0")
        return self

    def plain(self, **changes: Any) -> TrainConfig:
        """The options of one run, without the search's, with changes; what was not given stays not given."""
        names = set(TrainConfig.model_fields)
        return TrainConfig.model_validate(self.model_dump(include=names, exclude_unset=True) | changes)
