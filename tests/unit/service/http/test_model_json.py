"""Answers that have models in them."""

import json

from starlette.responses import JSONResponse

from adapters.store.label_rules import LabelThresholds, LabelTraffic, PromoteRule
from adapters.store.signature import SignatureState
from service.http.model_json import ModelJSONResponse


def test_a_model_is_told_like_its_dump() -> None:
    traffic = LabelTraffic(canary_share=0.1, promote=PromoteRule(agreement=0.9, over=50))
    thresholds = LabelThresholds(classes={"Käfer": 0.5})
    told = {"traffic": traffic, "thresholds": thresholds, "signature": SignatureState("signed", "k", None)}
    signature = {"state": "signed", "key_id": "k", "reason": None}
    dumped = {"traffic": traffic.model_dump(), "thresholds": thresholds.model_dump(), "signature": signature}

    answer = ModelJSONResponse(told)

    assert answer.body == JSONResponse(dumped).body
    assert json.loads(bytes(answer.body)) == dumped
    assert answer.headers["content-type"] == "application/json"
