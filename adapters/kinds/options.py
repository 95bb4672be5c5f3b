"""What the options of every kind have in common."""

from adapters.config import StrictModel


class KindOptions(StrictModel):
    """How one adapter is built. Each kind's own model names the kind by a literal, and adds its options."""

    kind: str
