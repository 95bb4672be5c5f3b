"""How a published adapter is used: what its card and the end of a command tell."""

import shlex

from adapters.store.files import Location
from training.options.train_config import SERVED_METHODS, TrainConfig


def request(task: str) -> str:
    """A request to a service, as Markdown."""
    return (
        "```sh\n"
        f"curl --data-binary @picture.jpg -H 'Content-Type: image/jpeg' \\\n"
        f"  http://127.0.0.1:8000/v1/tasks/{task}/classify\n"
        "```"
    )


def published_lines(config: TrainConfig, store: Location, version: int | None, of: str = "") -> list[str]:
    """What was published and what to try next, or why nothing was; `of` says more of the version."""
    if version is None:
        return [f"not published: {_why_not(config)}"]
    place = shlex.quote(str(store))
    return [
        f"published: {config.published_name} version {version}{of} in {store}",
        f"try it: dvpt-adapters classify --store {place} {config.published_name} PICTURE",
        f"serve it: dvpt-serve --store {place}",
    ]


def _why_not(config: TrainConfig) -> str:
    if config.method in SERVED_METHODS:
        return "--no-publish"
    return (
        f"a service cannot run {config.method}; "
        "the trained tensors are in the run directory's checkpoint.safetensors"
    )
