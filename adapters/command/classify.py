"""`dvpt-adapters classify`: answer picture files with one adapter, without a server, one at a time."""

from argparse import Namespace
from pathlib import Path

import torch

from adapters.command.arguments import add_version, add_weights, positive
from adapters.command.streams import complain, printable
from adapters.command.subcommands import PROGRAM, Subcommands
from adapters.config import STABLE
from adapters.errors import PictureError
from adapters.pictures.preprocess import read_pixels
from adapters.store.artifact import Artifact, adapter_of
from adapters.store.store import Store
from adapters.vit.backbone import Backbone, open_backbone


def add_command(commands: Subcommands) -> None:
    """Add `classify`."""
    classify = commands.add("classify", _classify, "answer picture files here, without a server")
    classify.add_argument("task")
    classify.add_argument("pictures", type=Path, nargs="+", metavar="picture")
    add_version(classify, STABLE)
    classify.add_argument("--top-k", type=positive, default=3, metavar="K", help="default: %(default)s")
    add_weights(classify)


def _classify(store: Store, options: Namespace) -> int:
    version = store.resolve(options.task, version=options.version, label=options.label or STABLE)
    artifact = store.load(options.task, version)
    classifier = LocalClassifier(artifact, open_backbone(store.backbone, weights=options.weights))
    failed = False
    for picture in options.pictures:
        try:
            best = classifier.classify(picture, options.top_k)
        except (PictureError, OSError) as error:
            failed = bool(complain(PROGRAM, error))
        else:
            answers = ", ".join(f"{name} {probability:.4f}" for _, name, probability in best)
            print(printable(f"{picture}: {answers}"))
    return 1 if failed else 0


class LocalClassifier:
    """One adapter on its backbone, in float32 on the CPU."""

    def __init__(self, artifact: Artifact, backbone: Backbone) -> None:
        self._config = artifact.config
        self._adapter = adapter_of(artifact, backbone.config)
        self._backbone = backbone

    @torch.inference_mode()
    def classify(self, picture: Path, top_k: int) -> list[tuple[int, str, float]]:
        """A picture file → the likeliest classes, first the best: index, name and probability.

        Raises PictureError for bytes that are no usable picture, and OSError.
        """
        pixels = read_pixels(picture, self._config.preprocess, self._backbone.config.image_size)
        logits = self._adapter(self._backbone, pixels.unsqueeze(0))[0]
        best = logits.softmax(dim=0).topk(min(top_k, len(self._config.classes)))
        return [
            (index, self._config.classes[index], probability)
            for index, probability in zip(best.indices.tolist(), best.values.tolist(), strict=True)
        ]
