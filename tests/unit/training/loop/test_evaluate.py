from typing import cast

import torch

from adapters.kinds.adapter import Adapter
from adapters.kinds.dvpt.body import DvptBody
from adapters.kinds.dvpt.options import DvptOptions
from adapters.vit.backbone import Backbone
from tests.support.pictures import pixels
from training.loop.evaluate import answer_of_adapter, predict_logits


def test_chunks_and_batches_make_no_difference(backbone: Backbone) -> None:
    adapter = Adapter(DvptOptions(count=2, meta_hidden=4), backbone.config, 3)
    cast("DvptBody", adapter.body).dropout.p = 0.5
    images = pixels(7)
    with torch.inference_mode():
        expected = adapter.eval()(backbone, images)
    logits = predict_logits(
        answer_of_adapter(backbone, adapter.train()), torch.device("cpu"), iter([images[:3], images[3:]])
    )
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-5)
