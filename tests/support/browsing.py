"""Pages in a real Chromium, watched: they ask nobody but their own service, and break no rule of its."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from shutil import which
from typing import Any
from urllib.parse import urlsplit

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is needed")
axe_api = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is needed")

CHROMIUM = which("chromium") or which("chromium-browser") or which("google-chrome")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is needed")
Visit = Callable[..., Any]
"""`visit(url, viewport=…, color_scheme=…)` opens a page in a fresh session of the browser."""


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser without a window."""
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def visiting(browser: Any) -> Iterator[Visit]:
    """Open pages; in the end none of them has asked elsewhere, thrown an error or broken its policy."""
    contexts, faults = [], []

    def visit(url: str, **options: Any) -> Any:
        context = browser.new_context(**options)
        contexts.append(context)
        page, host = context.new_page(), urlsplit(url).netloc
        page.set_default_timeout(30_000)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda told: faults.append(told.text) if _is_fault(told) else None)
        page.on("request", lambda request: faults.append(request.url) if _leaves(request.url, host) else None)
        page.goto(url)
        return page

    yield visit
    for context in contexts:
        context.close()
    assert faults == []


def violations(page: Any) -> Sequence[str]:
    """What axe finds: rule and element."""
    found = axe_api.Axe().run(page).response["violations"]
    return [f"{rule['id']}: {node['failureSummary']}" for rule in found for node in rule["nodes"]]


def _is_fault(told: Any) -> bool:
    return told.type in ("error", "warning") and not told.text.startswith("Failed to load resource")


def _leaves(url: str, host: str) -> bool:
    return not url.startswith(("blob:", "data:")) and urlsplit(url).netloc != host
