import pytest

from adapters.errors import ClassesDiffer, ClassNotFound
from adapters.store.class_lists import require_known_classes, require_same_classes


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (("cat", "owl"), "version 3, which has other classes: 'dog' would be gone and 'owl' would be new;"),
        (("cat", "dog", "owl"), "other classes: 'owl' would be new; --replace-classes moves it"),
        (("cat",), "other classes: 'dog' would be gone;"),
        (("dog", "cat"), "the same in another order, class 0 would be 'dog' instead of 'cat'"),
        (tuple("abcdefgh"), "'a', 'b', 'c', 'd', 'e' and 3 more would be new"),
    ],
)
def test_what_differs_is_named(after: tuple[str, ...], said: str) -> None:
    require_same_classes("stable", 3, ("cat", "dog"), ["cat", "dog"])
    with pytest.raises(ClassesDiffer) as caught:
        require_same_classes("stable", 3, ("cat", "dog"), after)
    assert said in str(caught.value)


def test_an_unknown_name_is_told_with_the_first_that_there_are() -> None:
    classes = [f"class {index}" for index in range(101)]
    require_known_classes(["class 100", "class 0"], classes)
    with pytest.raises(ClassNotFound, match=r"no class 'x', 'y'; there are: 'class 0', .*'class 99', …$"):
        require_known_classes(["y", "class 3", "x"], classes)
