"""What the start's benchmark counts."""

from benchmarks.start import by_package


def test_a_package_is_charged_with_its_own_modules_alone() -> None:
    modules = [("torch.nn", 2000, 2000), ("torch", 3000, 5000), ("timm.models", 1000, 9000)]

    assert by_package(modules) == {"torch": 5, "timm": 1}
