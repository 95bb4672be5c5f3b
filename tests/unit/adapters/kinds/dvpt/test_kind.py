"""Which options of prompts and Meta-Nets share a layout, and its name."""

import pytest

from adapters.kinds.dvpt.options import DvptOptions
from adapters.kinds.layout import Layout
from tests.support.backbones import VIT_B16

DEFAULT = Layout.of(DvptOptions(), VIT_B16)


@pytest.mark.parametrize(
    "options",
    [
        DvptOptions(meta_net="none"),
        DvptOptions(meta_net="none", meta_layers=2, meta_norm=True, dynamic_layers="all"),
        DvptOptions(meta_hidden=48),
        DvptOptions(dynamic_layers="all"),
    ],
)
def test_options_that_share_the_default_layout(options: DvptOptions) -> None:
    assert Layout.of(options, VIT_B16) == DEFAULT


@pytest.mark.parametrize(
    ("options", "name"),
    [
        (DvptOptions(), "p10-deep-shared4x48"),
        (DvptOptions(count=2), "p2-deep-shared4x48"),
        (DvptOptions(deep=False), "p10-shallow-shared4x48"),
        (DvptOptions(meta_net="specific"), "p10-deep-specific4x48"),
        (DvptOptions(meta_layers=2, meta_hidden=5), "p10-deep-shared2x5"),
        (DvptOptions(meta_input="token"), "p10-deep-shared4x48-token"),
        (DvptOptions(meta_norm=True), "p10-deep-shared4x48-norm"),
    ],
)
def test_layouts_are_named_by_what_parts_them(options: DvptOptions, name: str) -> None:
    layout = Layout.of(options, VIT_B16)
    assert str(layout) == name
    assert (layout == DEFAULT) == (name == str(DEFAULT))
