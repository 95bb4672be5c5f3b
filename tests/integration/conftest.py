"""A real `dvpt-serve` process on a free loopback port, over a store of random adapters."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import httpx
import pytest
import torch
from safetensors.torch import save_file

from adapters.config import PreprocessConfig, PromptConfig
from adapters.kinds.dvpt.adapter import Adapter
from adapters.store.artifact import Artifact, new_artifact
from adapters.store.store import Store
from adapters.vit.backbone import EMBEDDED_BACKBONE, Backbone, random_backbone

START_TIMEOUT_S = 240.0
STOP_TIMEOUT_S = 60.0
LISTENING = re.compile(r" listening host=\S+ port=(\d+)")
SAMPLE = re.compile(r"^(\w+)(\{.*\})? (\S+)$", re.MULTILINE)


class Server:
    """One server process: its address, its log so far, its metrics."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.log: list[str] = []
        self.port = 0
        self._listening, self._ready = threading.Event(), threading.Event()
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def wait_listening(self) -> None:
        self._wait(self._listening)

    def wait_ready(self) -> None:
        self._wait(self._ready)

    def wait_logged(self, pattern: str, timeout_s: float = STOP_TIMEOUT_S) -> str:
        """The first line that matches, once it is there."""
        for _ in range(int(timeout_s / 0.02)):
            for line in list(self.log):
                if re.search(pattern, line):
                    return line
            self.process.poll()
            threading.Event().wait(0.02)
        raise AssertionError(f"no line like {pattern!r} in:\n{''.join(self.log)}")

    def metrics(self) -> dict[str, float]:
        """Every sample by its name with labels, as `/metrics` writes it."""
        text = httpx.get(f"{self.url}/metrics").raise_for_status().text
        return {name + labels: float(value) for name, labels, value in SAMPLE.findall(text)}

    def stop(self, sent: signal.Signals = signal.SIGTERM) -> int:
        """Signal the process and wait for its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(sent)
        return self.process.wait(STOP_TIMEOUT_S)

    def end(self) -> None:
        """Leave nothing behind, however the test went."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join()
        if self.process.stderr is not None:
            self.process.stderr.close()

    def _read_log(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.log.append(line)
            if found := LISTENING.search(line):
                self.port = int(found.group(1))
                self._listening.set()
            if " service.lifecycle ready " in line:
                self._ready.set()
        self._listening.set()
        self._ready.set()

    def _wait(self, event: threading.Event) -> None:
        assert event.wait(START_TIMEOUT_S), "".join(self.log)
        assert self.process.poll() is None, "".join(self.log)


Serve = Callable[..., AbstractContextManager[Server]]
MakeArtifact = Callable[..., Artifact]


@pytest.fixture(scope="session")
def served_backbone() -> Backbone:
    """The embedded architecture with random weights."""
    return random_backbone(seed=11)


@pytest.fixture(scope="session")
def weights(served_backbone: Backbone, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Those weights as a file."""
    path = tmp_path_factory.mktemp("weights") / f"{EMBEDDED_BACKBONE}.safetensors"
    state = served_backbone.vit.state_dict()
    save_file({name: value.contiguous() for name, value in state.items()}, path)
    return path


@pytest.fixture(scope="session")
def make_artifact(served_backbone: Backbone) -> MakeArtifact:
    """Random adapters: `make_artifact(seed, class_count=5, options=…, preprocess=…)`."""

    def make(
        seed: int,
        class_count: int = 5,
        options: PromptConfig | None = None,
        preprocess: PreprocessConfig | None = None,
    ) -> Artifact:
        options = options or PromptConfig()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            adapter = Adapter(options, served_backbone.config, class_count)
            with torch.no_grad():
                for parameter in adapter.parameters():
                    parameter.add_(0.1 * torch.randn_like(parameter))
        return new_artifact(
            adapter,
            method="dvpt" if options.count else "linear",
            classes=[f"class {index}" for index in range(class_count)],
            backbone=served_backbone.config,
            preprocess=preprocess or PreprocessConfig(),
            provenance={},
            dtype=torch.float32,
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


@pytest.fixture(scope="session")
def start(weights: Path) -> Callable[..., Server]:
    """`start(store, "--max-batch=8")` starts a server process; whoever does so ends it."""

    def run(store: Store | Path, *flags: str, open_files: int | None = None) -> Server:
        location = store.url if isinstance(store, Store) else store
        given = [f"--store={location}", f"--weights={weights}", "--port=0", *flags]
        return Server(start_process(given, open_files))

    return run


@pytest.fixture(scope="session")
def serve(start: Callable[..., Server]) -> Serve:
    """`with serve(store, "--max-batch=8") as server:` runs a server until the block ends."""

    @contextmanager
    def run(
        store: Store | Path, *flags: str, ready: bool = True, open_files: int | None = None
    ) -> Iterator[Server]:
        server = start(store, *flags, open_files=open_files)
        try:
            server.wait_listening()
            if ready:
                server.wait_ready()
            yield server
        finally:
            server.end()

    return run


def start_process(flags: Sequence[str], open_files: int | None = None) -> subprocess.Popen[str]:
    """Start `dvpt-serve` with one thread of torch, in float32, looking at its store often."""
    limit = [] if open_files is None else ["sh", "-c", f'ulimit -n {open_files} && exec "$0" "$@"']
    base = ["--precision=fp32", "--device=cpu", "--torch-threads=1", "--watch-interval-s=0.05"]
    return subprocess.Popen(
        [*limit, sys.executable, "-m", "service.cli", *base, *flags],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
