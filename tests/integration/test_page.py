"""The page in a real Chromium, before a real service: what its users do, errors included."""

import base64
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters.config import PreprocessConfig
from adapters.kinds.acceptance import Acceptance
from adapters.kinds.linear.options import LinearOptions
from adapters.store.store import Store
from tests.support.artifacts import MakeArtifact
from tests.support.browsing import Visit, needs_chromium, sync_api, violations
from tests.support.pictures import encoded, noise
from tests.support.server import Serve, Server

pytestmark = [needs_chromium, pytest.mark.slow]
expect = sync_api.expect
MANY = 55
PHONE = {"width": 360, "height": 740}
HEIC = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic"
WIDTHS = "all => all.map((bar) => bar.offsetWidth / bar.parentElement.offsetWidth)"
OPAQUE = """canvas => Math.max(
  ...canvas.getContext("2d").getImageData(0, 0, 7, 7).data.filter((_, index) => index % 4 === 3)
)"""
GIVE = """([kind, name, type, data]) => {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  const files = new DataTransfer();
  files.items.add(new File([bytes], name, { type }));
  const event = kind === "drop"
    ? new DragEvent("drop", { dataTransfer: files, bubbles: true, cancelable: true })
    : new ClipboardEvent("paste", { clipboardData: files, bubbles: true });
  document.body.dispatchEvent(event);
}"""


@pytest.fixture(scope="module")
def server(module_store: Store, make_artifact: MakeArtifact, serve: Serve) -> Iterator[Server]:
    tested = {"metrics": {"accuracy": 0.9321}}
    for seed in (1, 2):
        artifact = make_artifact(seed)
        config = artifact.config.model_copy(update={"provenance": tested})
        module_store.publish("birds", replace(artifact, config=config))
    acceptance = Acceptance(
        thresholds=(1.0,) * 5, none_below=0.0, precision=0.95, pictures=9, accepted=0.0,
        accepted_precision=None, false_alarms=0.0,
    )  # fmt: skip
    strict = make_artifact(1)
    for task, update in (("strict", {}), ("stranger", {"none_below": 1.0})):
        found = acceptance.model_copy(update=update)
        module_store.publish(
            task, replace(strict, config=strict.config.model_copy(update={"acceptance": found}))
        )
    cropped = PreprocessConfig(fit="crop", resize_ratio=2.0)
    module_store.publish("cropped", make_artifact(1, preprocess=cropped))
    plain = make_artifact(3, class_count=2, options=LinearOptions())
    for number in range(MANY):
        module_store.publish(f"many-{number:02}", plain)
    with serve(module_store) as started:
        yield started


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two pictures, wider than high."""
    folder = tmp_path_factory.mktemp("pictures")
    paths = [folder / f"it's {name}.png" for name in ("one", "two")]
    for seed, path in enumerate(paths):
        path.write_bytes(encoded(noise(seed, (12, 8)).resize((120, 80))))
    return paths


@pytest.fixture
def page(server: Server, visit: Visit) -> Any:
    """The page with the task `birds`."""
    page = visit(f"{server.url}/#birds")
    expect(page.get_by_role("heading", name="birds")).to_be_visible()
    return page


def cards(page: Any) -> Any:
    return page.locator("#results > li")


def give(page: Any, *pictures: Path) -> None:
    """Choose pictures, and wait for their answers."""
    expect(page.locator("#task")).to_be_visible()
    before = cards(page).count()
    page.set_input_files("#files", pictures)
    expect(cards(page)).to_have_count(before + len(pictures))
    expect(cards(page).locator(".column > .note")).to_have_count(0)


def test_tasks_are_listed_in_pages_and_searched(server: Server, visit: Visit) -> None:
    page = visit(f"{server.url}/")
    tasks = page.get_by_role("list").filter(has=page.locator("button.task")).locator("button")
    expect(tasks).to_have_count(50)
    expect(page.locator("#tasks-status")).to_have_text("50 tasks, and there are more")

    page.get_by_role("button", name="More tasks").click()
    expect(tasks).to_have_count(MANY + 4)
    expect(tasks.nth(50)).to_be_focused()
    expect(page.get_by_role("button", name="More tasks")).to_be_hidden()

    page.get_by_label("Search by name").fill("Y-3")
    expect(tasks).to_have_count(10)
    expect(tasks.first).to_have_text("many-30version 1")

    page.get_by_label("Search by name").fill("zebra")
    expect(page.locator("#tasks-status")).to_have_text("No task has such a name.")

    page.get_by_label("Search by name").fill("a b")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("search is part of no task's name: 'a b'")
    expect(alert).to_contain_text("400 bad_query")


def test_a_task_in_the_list_says_what_it_is_worth_once_it_is_seen(server: Server, visit: Visit) -> None:
    page = visit(f"{server.url}/")
    tasks = page.locator("#task-list .task")
    expect(tasks.filter(has_text="birds")).to_contain_text("version 2, 93.2 % right")
    expect(tasks.filter(has_text="cropped")).not_to_contain_text("right")


def test_a_task_is_chosen_by_keyboard_and_stays_after_a_reload(server: Server, visit: Visit) -> None:
    page = visit(f"{server.url}/")
    expect(page.locator("button.task").first).to_be_visible()
    page.get_by_label("Search by name").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", name="birds")).to_be_focused()
    expect(page.locator("#task-facts")).to_contain_text(
        "Version 2 answers · 5 classes · dvpt · 93.2 % of its test pictures right"
    )
    page.reload()
    expect(page.get_by_role("heading", name="birds")).to_be_visible()
    expect(page.locator("button.task[aria-current]")).to_contain_text("birds")


def test_a_task_that_is_not_there_is_told(server: Server, visit: Visit) -> None:
    page = visit(f"{server.url}/#no-such-task")
    expect(page.get_by_role("alert")).to_contain_text("there is no task 'no-such-task'")
    expect(page.locator("#task")).to_be_hidden()


def test_pictures_get_the_answers_of_the_service(page: Any, server: Server, pictures: list[Path]) -> None:
    give(page, *pictures)

    url = f"{server.url}/v1/tasks/birds/classify"
    for index, picture in enumerate(pictures):
        told = httpx.post(url, content=picture.read_bytes()).json()["predictions"][0]["classes"]
        card = cards(page).nth(index)
        shown = card.locator(".classes .label").all_inner_texts()
        assert shown == [each["label"] for each in told]
        shares = [float(text.split(" ")[0]) for text in card.locator(".classes .share").all_inner_texts()]
        assert shares == pytest.approx([100 * each["probability"] for each in told], abs=0.1)
        bars = card.locator(".fill").evaluate_all(WIDTHS)
        assert bars == pytest.approx([each["probability"] for each in told], abs=0.01)
        legend = card.get_by_role("list", name="Where the time went").locator("li").all_inner_texts()
        assert [text.strip().split(" ")[0] for text in legend] == [
            "decoding", "queue", "inference", "network", "together",
        ]  # fmt: skip
    expect(page.locator("#results-status")).to_have_text("2 pictures answered.")

    page.get_by_label("Classes", exact=True).fill("2")
    page.keyboard.press("Enter")
    expect(cards(page).first.locator(".classes li")).to_have_count(2)
    page.get_by_role("button", name="Remove all").click()
    expect(cards(page)).to_have_count(0)


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_pictures_are_dropped_and_pasted(page: Any, pictures: list[Path], kind: str) -> None:
    data = base64.b64encode(pictures[0].read_bytes()).decode()
    page.evaluate(GIVE, [kind, "given.png", "image/png", data])

    expect(cards(page).locator("figcaption")).to_have_text("given.png")
    expect(cards(page).locator(".classes li")).to_have_count(5)


def test_a_phone_takes_photographs(page: Any, pictures: list[Path]) -> None:
    assert page.get_by_label("Take a photograph").get_attribute("capture") == "environment"
    page.get_by_label("Take a photograph").set_input_files(pictures[0])
    expect(cards(page).locator(".classes li")).to_have_count(5)


def test_a_picture_that_is_refused_says_why_and_harms_no_other(page: Any, pictures: list[Path]) -> None:
    files = [
        {"name": "phone.heic", "mimeType": "image/heic", "buffer": HEIC},
        {"name": "one.png", "mimeType": "image/png", "buffer": pictures[0].read_bytes()},
    ]
    page.set_input_files("#files", files)

    refused, answered = cards(page).nth(0), cards(page).nth(1)
    expect(refused.get_by_role("alert")).to_contain_text("HEIC")
    expect(refused.get_by_role("alert")).to_contain_text("415 media_type · request ")
    expect(refused.locator(".picture")).to_have_text("no preview")
    expect(answered.locator(".classes li")).to_have_count(5)
    expect(page.locator("#results-status")).to_have_text("2 pictures answered, 1 with an error.")


def test_a_service_that_does_not_answer_is_told_and_asked_again(page: Any, pictures: list[Path]) -> None:
    page.context.set_offline(True)
    page.set_input_files("#files", pictures[0])
    expect(cards(page).get_by_role("alert")).to_contain_text("The service did not answer")

    page.context.set_offline(False)
    cards(page).get_by_role("button", name="Try again").click()
    expect(cards(page).locator(".classes li")).to_have_count(5)


@pytest.mark.parametrize(
    ("task", "reason"), [("strict", "not likely enough"), ("stranger", "none of these classes")]
)
def test_an_answer_that_is_not_accepted_says_why(
    server: Server, visit: Visit, pictures: list[Path], task: str, reason: str
) -> None:
    page = visit(f"{server.url}/#{task}")
    give(page, pictures[0])
    expect(cards(page).locator(".verdict")).to_contain_text("Not accepted: ")
    expect(cards(page).locator(".verdict")).to_contain_text(reason)


def test_two_versions_answer_side_by_side(page: Any, pictures: list[Path]) -> None:
    give(page, pictures[0])
    page.get_by_label("Ask", exact=True).select_option("version:1")
    page.get_by_label("Beside it").select_option("label:stable")

    expect(cards(page).locator(".who")).to_contain_text(["Version 1", "stable, version 2"])
    shares = [column.locator(".share").all_inner_texts() for column in cards(page).locator(".answer").all()]
    assert shares[0] != shares[1]
    boxes = [column.bounding_box() for column in cards(page).locator(".answer").all()]
    assert boxes[0]["y"] == boxes[1]["y"]


def test_why_shows_what_carried_the_answer_and_hides_it_again(page: Any, pictures: list[Path]) -> None:
    give(page, pictures[0])
    why = cards(page).get_by_role("button", name="Why?")
    why.focus()
    page.keyboard.press("Enter")

    overlay = cards(page).get_by_role("img", name="What carried the answer")
    expect(overlay).to_be_visible()
    expect(why).to_have_attribute("aria-pressed", "true")
    assert overlay.evaluate("canvas => [canvas.width, canvas.height]") == [7, 7]
    assert overlay.bounding_box() == cards(page).locator("img:not(canvas)").first.bounding_box()
    assert overlay.evaluate(OPAQUE) == 190
    why.click()
    expect(overlay).to_have_count(0)


def test_why_lies_over_the_part_of_the_picture_that_the_model_saw(
    server: Server, visit: Visit, pictures: list[Path]
) -> None:
    page = visit(f"{server.url}/#cropped")
    give(page, pictures[0])
    cards(page).get_by_role("button", name="Why?").click()

    over, whole = (cards(page).locator(name).bounding_box() for name in ("canvas", "img"))
    assert [over["width"], over["height"]] == pytest.approx([whole["height"] / 2] * 2, abs=0.5)
    assert over["x"] + over["width"] / 2 == pytest.approx(whole["x"] + whole["width"] / 2, abs=0.5)
    assert over["y"] + over["height"] / 2 == pytest.approx(whole["y"] + whole["height"] / 2, abs=0.5)


def test_the_programs_that_are_shown_run(page: Any, pictures: list[Path]) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    give(page, pictures[0])
    first = cards(page).locator(".label").first.inner_text()
    page.get_by_text("Ask from a program").click()
    page.get_by_role("button", name="Copy").click()
    expect(page.locator("#code-status")).to_have_text("Copied.")
    command = page.evaluate("navigator.clipboard.readText()")
    page.get_by_role("button", name="Python").click()
    program = page.locator("#code-text").inner_text()

    run = partial(subprocess.run, cwd=pictures[0].parent, check=True, capture_output=True, text=True)
    told = run(["sh", "-c", command])
    assert f'"label":"{first}"' in told.stdout
    told = run([sys.executable, "-c", program])
    assert told.stdout.splitlines()[0].endswith(f" {first}")
    assert len(told.stdout.splitlines()) == 5


def test_the_charts_show_the_service_while_somebody_looks(
    server: Server, visit: Visit, pictures: list[Path]
) -> None:
    page = visit(f"{server.url}/healthz")
    page.clock.install(time="2026-01-01T00:00:00")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{server.url}/#birds")
    give(page, pictures[0])
    assert f"{server.url}/metrics" not in asked

    page.clock.pause_at("2026-01-01T01:00:00")
    page.get_by_text("The service now").click()
    expect(page.locator("#live-status")).to_have_text("Reading…")
    give(page, pictures[1])
    page.clock.run_for(2000)
    charts = page.locator(".chart")
    expect(charts).to_have_count(3)
    expect(charts.nth(0).locator("strong")).to_have_text("0.5")
    expect(charts.nth(2).locator("strong")).to_have_text("1.0 pictures, 1.0 tasks")
    said = "Pictures waiting: 0.0 now, at most 1.0 in the last 2 seconds"
    expect(charts.nth(1).get_by_role("img")).to_have_attribute("aria-label", said)

    page.get_by_text("The service now").click()
    page.clock.run_for(10_000)
    assert asked.count(f"{server.url}/metrics") == 2


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [PHONE, {"width": 1200, "height": 800}], ids=["phone", "desk"])
def test_nobody_is_kept_out_and_nothing_is_cut_off(
    server: Server, visit: Visit, pictures: list[Path], scheme: str, viewport: dict[str, int]
) -> None:
    page = visit(f"{server.url}/#birds", viewport=viewport, color_scheme=scheme)
    page.get_by_label("Beside it").select_option("version:1")
    heic = pictures[0].parent / "phone.heic"
    heic.write_bytes(HEIC)
    give(page, *pictures, heic)
    cards(page).first.get_by_role("button", name="Why?").first.click()
    expect(page.locator("canvas")).to_be_visible()
    for section in page.locator("details > summary").all():
        section.click()
    expect(page.locator(".chart")).to_have_count(3)
    assert page.evaluate("document.documentElement.scrollWidth") == viewport["width"]
    assert violations(page) == []
    if folder := os.environ.get("PAGE_SCREENSHOTS"):
        page.screenshot(path=f"{folder}/{scheme}-{viewport['width']}.png", full_page=True)
    page.get_by_role("button", name="Key").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert violations(page) == []
