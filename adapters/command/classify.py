"""Answer picture files with one adapter, without a server: the reference forward, one picture at a time."""

from pathlib import Path

import torch

from adapters.pictures.preprocess import read_pixels
from adapters.store.artifact import Artifact, adapter_of
from adapters.vit.backbone import Backbone


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
