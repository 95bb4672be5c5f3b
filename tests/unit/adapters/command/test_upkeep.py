"""`dvpt-adapters delete`, `prune` and `index`, run as a user would."""

from collections.abc import Callable

from adapters.store.store import Store
from tests.support.artifacts import MakeArtifact

Run = Callable[..., tuple[int, str, str]]


def test_delete(published_twice: Store, run: Run) -> None:
    code, _, err = run("delete", "digits", "--version", 2)
    assert code == 1
    assert "has the label stable; move or remove the label first" in err
    assert run("delete", "digits", "--version", 1) == (0, "deleted version 1 of digits\n", "")
    assert published_twice.task("digits").versions == (2,)
    assert run("delete", "digits", "--all") == (0, "deleted task digits\n", "")
    assert published_twice.tasks() == []


def test_prune(published_twice: Store, make_artifact: MakeArtifact, run: Run) -> None:
    for task in ("digits", "other"):
        for _ in range(2):
            published_twice.publish(task, make_artifact())
    assert run("prune", "--keep", 1) == (0, "digits: removed 1, 2\nother: removed nothing\n", "")
    assert run("prune", "digits", "--keep", 1) == (0, "digits: removed nothing\n", "")
    assert published_twice.task("digits").versions == (3, 4)


def test_index(published_twice: Store, run: Run) -> None:
    assert run("index") == (0, "indexed 1 tasks\n", "")
    found = published_twice.indexed()
    assert found is not None
    assert set(found[0]) == {"digits"}
