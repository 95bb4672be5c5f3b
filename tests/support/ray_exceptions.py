"""Which integration tests say nothing about a Ray Serve deployment, and why."""

OTHER_FILES = "tests no service, or starts its own"
EXCEPTIONS: dict[str, str] = {}


def why_not_with_ray(node: str) -> str | None:
    """The reason to leave out the test with this node id, or None."""
    return next((reason for part, reason in EXCEPTIONS.items() if part in node), None)
