"""The recipes that are shipped: files of options for common situations, by name, for `--config NAME`."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

FOLDER = Path(__file__).parents[1] / "recipes"
RECIPES: Mapping[str, Path] = MappingProxyType({path.stem: path for path in sorted(FOLDER.glob("*.toml"))})
