"""A real `dvpt-serve` process on a free loopback port, over a store of random adapters."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from adapters.config import PreprocessConfig
from adapters.kinds.dvpt.options import DvptOptions
from adapters.kinds.options import KindOptions
from adapters.store.artifact import Artifact
from adapters.store.store import Store
from adapters.vit.backbone import EMBEDDED_BACKBONE, Backbone, random_backbone
from tests.support.artifacts import MakeArtifact, random_artifact
from tests.support.backbones import save_weights
from tests.support.ray_exceptions import why_not_with_ray
from tests.support.server import COMMAND, RAY_COMMAND, Serve, Server, Start, running, start_server

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def served_backbone() -> Backbone:
    """The embedded architecture with random weights."""
    return random_backbone(seed=11)


@pytest.fixture(scope="session")
def weights(served_backbone: Backbone, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Those weights as a file."""
    return save_weights(
        served_backbone, tmp_path_factory.mktemp("weights") / f"{EMBEDDED_BACKBONE}.safetensors"
    )


@pytest.fixture(scope="session")
def make_artifact(served_backbone: Backbone) -> MakeArtifact:
    """Random adapters: `make_artifact(seed, class_count=5, options=…, preprocess=…)`."""

    def make(
        seed: int,
        class_count: int = 5,
        options: KindOptions | None = None,
        preprocess: PreprocessConfig | None = None,
    ) -> Artifact:
        return random_artifact(
            served_backbone.config,
            options or DvptOptions(),
            class_count,
            noise=0.1,
            seed=seed,
            preprocess=preprocess,
        )

    return make


@pytest.fixture(scope="module")
def module_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where `module_store` is, for tests that damage its files."""
    return tmp_path_factory.mktemp("module") / "store"


@pytest.fixture(scope="module")
def module_store(served_backbone: Backbone, module_folder: Path) -> Store:
    """An empty store that the tests of a module share."""
    return Store.create(module_folder, served_backbone.config)


@pytest.fixture
def empty_store(served_backbone: Backbone, tmp_path: Path) -> Store:
    """An empty store of a test's own."""
    return Store.create(tmp_path / "store", served_backbone.config)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With `--ray`, leave out what says nothing about a deployment, each with its reason."""
    if config.getoption("--ray"):
        for item in items:
            if item.path.is_relative_to(HERE) and (reason := why_not_with_ray(item)):
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def command(pytestconfig: pytest.Config) -> Sequence[str]:
    """What starts a server: `dvpt-serve`, or with `--ray` a deployment that takes the same flags."""
    return RAY_COMMAND if pytestconfig.getoption("--ray") else COMMAND


@pytest.fixture(scope="session")
def start(weights: Path, command: Sequence[str]) -> Start:
    """`start(store, "--max-batch=8")` starts a server process; whoever does so ends it."""
    usual = command

    def run(
        store: Store | Path,
        *flags: str,
        command: Sequence[str] | None = None,
        open_files: int | None = None,
    ) -> Server:
        location = store.url if isinstance(store, Store) else store
        limit = [] if open_files is None else ["sh", "-c", f'ulimit -n {open_files} && exec "$0" "$@"']
        return start_server(
            [f"--store={location}", f"--weights={weights}", *flags], [*limit, *(command or usual)]
        )

    return run


@pytest.fixture(scope="session")
def serve(start: Start) -> Serve:
    """`with serve(store, "--max-batch=8") as server:` runs a server until the block ends."""

    def run(
        store: Store | Path,
        *flags: str,
        ready: bool = True,
        command: Sequence[str] | None = None,
        open_files: int | None = None,
    ) -> AbstractContextManager[Server]:
        return running(start(store, *flags, command=command, open_files=open_files), ready=ready)

    return run


@pytest.fixture(scope="module")  # its event loop would be in the way of other modules' own
def browser() -> Iterator[Any]:
    """A Chromium for the tests of a module."""
    from tests.support.browsing import chromium  # noqa: PLC0415 - skips where there is none

    with chromium() as started:
        yield started


@pytest.fixture
def visit(browser: Any) -> Iterator[Any]:
    """`visit(url, …)` opens a page, which is watched until the test ends."""
    from tests.support.browsing import visiting  # noqa: PLC0415 - skips where there is none

    with visiting(browser) as opened:
        yield opened
