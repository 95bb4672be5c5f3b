"""What must be equal for rows to share one forward pass, and where an adapter sits in the bank."""

from dataclasses import dataclass

from adapters.config import PromptConfig
from adapters.kinds.dvpt.meta_net import hidden_width


@dataclass(frozen=True)
class Layout:
    """Prompt count, depth and Meta-Net shape; heads and preprocessing are outside it.

    `prompts` is in canonical form: `meta_hidden` resolved, `dynamic_layers` and the Meta-Net's options
    at their defaults where they make no difference, and VPT inside DVPT's layout.
    """

    prompts: PromptConfig

    @classmethod
    def of(cls, prompts: PromptConfig, width: int) -> "Layout":
        """The layout an adapter with these options takes on a backbone of D = `width`."""
        if prompts.count == 0:
            return cls(PromptConfig(count=0, deep=False, meta_net="none"))
        if prompts.meta_net == "none":
            prompts = PromptConfig(count=prompts.count, deep=prompts.deep)
        # Where π is added is a factor of each row in the bank, so it does not part rows.
        chosen = {"meta_hidden": hidden_width(prompts, width), "dynamic_layers": "first"}
        return cls(prompts.model_copy(update=chosen))

    def __str__(self) -> str:
        """A short name for logs and metrics, such as `p10-deep-shared4x48`."""
        prompts = self.prompts
        if prompts.count == 0:
            return "p0"
        marks = ("-token" if prompts.meta_input == "token" else "") + ("-norm" if prompts.meta_norm else "")
        depth = "deep" if prompts.deep else "shallow"
        return (
            f"p{prompts.count}-{depth}-{prompts.meta_net}{prompts.meta_layers}x{prompts.meta_hidden}{marks}"
        )


@dataclass(frozen=True)
class HeadShape:
    """Heads that share one bmm: k linear maps, the last padded to `class_capacity` rows."""

    layers: int
    class_capacity: int

    @classmethod
    def of(cls, layers: int, class_count: int) -> "HeadShape":
        """The smallest bucket of 16, 128, 1024, … classes that `class_count` fits into."""
        capacity = 16
        while capacity < class_count:
            capacity *= 8
        return cls(layers, capacity)


@dataclass(frozen=True)
class Slot:
    """One adapter's place in the bank: its index in the layout's tensors and in its head bucket's."""

    layout: Layout
    index: int
    head: HeadShape
    head_index: int
    class_count: int
