"""The page and `/docs` before a service with keys, below a proxy's prefix."""

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters.store.artifact import Artifact, encode_artifact
from adapters.store.store import Store
from tests.support.artifacts import MakeArtifact
from tests.support.browsing import Visit, needs_chromium, sync_api, violations
from tests.support.keys import key_file, new_key
from tests.support.pictures import plain_png
from tests.support.server import Serve, Server

pytestmark = [needs_chromium, pytest.mark.slow]
expect = sync_api.expect
(READER, READER_KEY), (ADMIN, ADMIN_KEY) = new_key(tasks=["birds"]), new_key(name="root", scopes=["admin"])
(WATCHER, WATCHER_KEY) = new_key(name="watcher", scopes=["metrics"])


@pytest.fixture(scope="module")
def server(
    module_store: Store, make_artifact: MakeArtifact, serve: Serve, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    for seed in (1, 2):
        module_store.publish("birds", make_artifact(seed))
    module_store.publish("secret", make_artifact(3))
    keys = key_file(tmp_path_factory.mktemp("keys"), READER_KEY, ADMIN_KEY, WATCHER_KEY).path
    with serve(module_store, f"--keys={keys}", "--root-path=/vision") as started:
        yield started


@pytest.fixture
def page(server: Server, visit: Visit) -> Any:
    return opened(visit(f"{server.url}/vision/"))


def opened(page: Any) -> Any:
    """A page that has found that it needs a key."""
    expect(page.get_by_role("dialog")).to_be_visible()
    return page


def enter(page: Any, key: object) -> None:
    """Type a key into the dialog, which is opened if it is not open."""
    if not page.get_by_role("dialog").is_visible():
        page.locator("#key-button").click()
    page.get_by_label("A key of this service").fill(str(key))
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_hidden()


def archive(artifact: Artifact, store: Store) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in encode_artifact(artifact, store.backbone).items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def test_a_key_is_asked_for_kept_in_this_tab_and_forgotten(page: Any) -> None:
    expect(page.get_by_role("dialog")).to_contain_text("a key is needed")
    expect(page.get_by_label("A key of this service")).to_be_focused()
    assert violations(page) == []

    enter(page, READER)
    expect(page.locator("button.task")).to_have_text(["birdsversion 2"])
    stored = "[Object.values(sessionStorage), Object.values(localStorage), document.cookie]"
    assert page.evaluate(stored) == [[str(READER)], [], ""]
    assert str(READER) not in page.url

    page.get_by_role("button", name="Key in use").click()
    page.get_by_role("button", name="Forget it").click()
    expect(page.get_by_role("dialog")).to_contain_text("a key is needed")
    assert page.evaluate(stored) == [[], [], ""]
    page.keyboard.press("Escape")
    expect(page.locator("#tasks-status").get_by_role("alert")).to_contain_text("401 unauthenticated")


def test_a_key_that_opens_nothing_is_told(page: Any) -> None:
    enter(page, "dvpt_none_none")
    alert = page.locator("#tasks-status").get_by_role("alert")
    expect(alert).to_contain_text("the key is not known, or it was revoked or has expired")
    alert.get_by_role("button", name="Enter a key").click()
    enter(page, READER)
    expect(page.locator("button.task")).to_have_count(1)


def test_with_a_key_pictures_are_answered_and_programs_name_no_key(page: Any) -> None:
    enter(page, READER)
    page.get_by_role("button", name="birds").click()
    expect(page.get_by_role("heading", name="birds")).to_be_focused()
    picture = {"name": "plain.png", "mimeType": "image/png", "buffer": plain_png(9)}
    page.set_input_files("#files", picture)
    expect(page.locator(".classes li")).to_have_count(5)

    page.get_by_text("Ask from a program").click()
    expect(page.locator("#code-text")).to_contain_text("Bearer $DVPT_KEY")
    expect(page.locator("#code-text")).to_contain_text("/vision/v1/tasks/birds/classify")
    page.get_by_role("button", name="Python").click()
    expect(page.locator("#code-text")).to_contain_text("DVPT_KEY")
    assert str(READER) not in page.locator("body").inner_text()


def test_a_task_that_the_key_is_not_for_is_told(server: Server, visit: Visit) -> None:
    page = opened(visit(f"{server.url}/vision/#secret"))
    enter(page, READER)
    alert = page.locator("main").get_by_role("alert")
    expect(alert).to_contain_text("the key 'acme' is not for the task 'secret'")
    expect(alert).to_contain_text("403 not_allowed")


def test_charts_ask_for_a_key_with_the_scope_and_draw_with_it(page: Any) -> None:
    enter(page, READER)
    page.get_by_text("The service now").click()
    expect(page.locator("#live-status")).to_contain_text("The charts need a key with the scope metrics.")

    enter(page, WATCHER)
    expect(page.locator(".chart")).to_have_count(3)


@pytest.fixture
def admin(server: Server, visit: Visit, module_store: Store) -> Any:
    """The page of `birds` with an admin key, its versions open: two, stable the second."""
    module_store.set_label("birds", "stable", 2)
    page = visit(f"{server.url}/vision/healthz")
    page.goto(f"{server.url}/vision/#birds")
    enter(opened(page), ADMIN)
    expect(page.locator("#task-facts")).to_contain_text("Version 2 answers")
    page.get_by_text("Versions and labels").click()
    return page


def test_a_label_is_pointed_at_a_version_and_rolled_back(admin: Any) -> None:
    admin.get_by_label("Version", exact=True).select_option("1")
    admin.get_by_role("button", name="Set the label").click()
    expect(admin.locator("#admin-status")).to_have_text("stable is version 1 now.")
    expect(admin.locator("#versions tr").last).to_contain_text("stable")
    expect(admin.locator("#task-facts")).to_contain_text("Version 1 answers")

    admin.get_by_role("button", name="Roll the label back").click()
    expect(admin.locator("#admin-status")).to_have_text("stable was rolled back.")
    expect(admin.locator("#task-facts")).to_contain_text("Version 2 answers")

    admin.get_by_label("Label", exact=True).first.fill("canary")
    admin.get_by_label("Version", exact=True).select_option("2")
    admin.get_by_role("button", name="Set the label").click()
    expect(admin.locator("#admin-status")).to_have_text("canary is version 2 now.")
    expect(admin.get_by_label("Ask", exact=True)).to_contain_text("canary (version 2)")
    assert violations(admin) == []


def test_a_label_that_another_has_moved_meanwhile_stays_where_it_is(admin: Any, module_store: Store) -> None:
    module_store.set_label("birds", "stable", 1)
    admin.get_by_role("button", name="Set the label").click()
    expect(admin.locator("#admin-error")).to_contain_text("stable has meanwhile been moved to version 1")
    assert module_store.resolve("birds") == 1


def test_a_version_is_published(
    admin: Any, make_artifact: MakeArtifact, server: Server, module_store: Store
) -> None:
    file = {
        "name": "new.tar",
        "mimeType": "application/x-tar",
        "buffer": archive(make_artifact(4), module_store),
    }
    admin.get_by_label("Task", exact=True).fill("fresh")
    admin.get_by_label("Adapter, as tar").set_input_files(file)
    admin.get_by_role("button", name="Publish").click()

    expect(admin.locator("#admin-status")).to_have_text("Version 1 of fresh was published.")
    expect(admin.locator("button.task")).to_contain_text(["birds", "fresh", "secret"])
    answer = httpx.post(
        f"{server.url}/vision/v1/tasks/fresh/classify",
        content=plain_png(1),
        headers={"X-API-Key": str(ADMIN)},
    )
    assert answer.status_code == 200


def test_what_is_no_adapter_is_refused_with_the_reason(admin: Any, tmp_path: Path) -> None:
    (tmp_path / "broken.tar").write_bytes(b"no tar")
    admin.get_by_label("Adapter, as tar").set_input_files(tmp_path / "broken.tar")
    admin.get_by_role("button", name="Publish").click()
    expect(admin.locator("#admin-error").get_by_role("alert")).to_be_visible()


def test_a_key_without_the_scope_changes_nothing(admin: Any, module_store: Store) -> None:
    enter(admin, READER)
    admin.get_by_role("button", name="Roll the label back").click()
    expect(admin.locator("#admin-error")).to_contain_text("the key 'acme' has not the scope admin")
    assert module_store.resolve("birds") == 2


@pytest.mark.parametrize("prefix", ["/vision", ""])
def test_the_documentation_needs_nothing_from_elsewhere(server: Server, visit: Visit, prefix: str) -> None:
    page = visit(f"{server.url}{prefix}/docs")
    expect(page.locator(".opblock-summary-path").first).to_be_visible()
    expect(page.get_by_role("heading", name="DVPT Serve")).to_be_visible()

    page.get_by_role("button", name="get /v1/tasks", exact=True).click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute").click()
    expect(page.locator(".live-responses-table .response-col_status").last).to_contain_text("401")
    expect(page.locator(".request-url")).to_contain_text(f"{server.url}/vision/v1/tasks")
