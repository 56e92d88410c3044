"""The page in Chromium: with its sample conversation in all its states, and with a server to talk to."""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .conftest import CLIENTS

pytestmark = pytest.mark.e2e

Open = Callable[..., Any]
WIDE, TABLET, PHONE = (1440, 900), (768, 1024), (360, 740)
BEFORE = ("start", "connecting", "denied", "full", "key", "failed")
STATES = (*BEFORE, "4", "quiet", "still", "dropped", "apart", "gone", "lost", "ended")
MOVED = """
    window.moved = [];
    new PerformanceObserver((list) => {
        for (const { sources, hadRecentInput } of list.getEntries())
            if (!hadRecentInput) moved.push(...sources.map(({ node }) => node?.id ?? ""));
    }).observe({ type: "layout-shift" });
"""
SMALL = """
    [...(document.querySelector("dialog[open]") ?? document)
        .querySelectorAll("button, input:not([type=radio]), select")].flatMap((control) => {
        if (!control.checkVisibility({ visibilityProperty: true }) || control.disabled) return [];
        control.scrollIntoView({ block: "center" });
        const whole = control.closest("label, #parts tr") ?? control;
        const box = whole.getBoundingClientRect();
        const [x, y] = [(box.left + box.right) / 2, (box.top + box.bottom) / 2];
        const missed = [[0, -21], [0, 21], [-21, 0], [21, 0]].some(
            ([dx, dy]) => !whole.contains(document.elementFromPoint(x + dx, y + dy)));
        return missed ? [control.id || control.textContent] : [];
    })
"""
AXE = CLIENTS / "node_modules/axe-core/axe.min.js"


@pytest.fixture
def shown(browser: Any, server: str) -> Iterator[Open]:
    """Opens the page in a state of its sample, or, without one, to talk; fails on what its console says."""
    contexts: list[Any] = []
    complaints: list[str] = []

    def told(message: Any) -> None:
        if message.type in ("error", "warning"):
            complaints.append(message.text)

    def failed(error: Any) -> None:
        complaints.append(str(error))

    def opened(state: str | None = None, size: tuple[int, int] = WIDE, **more: Any) -> Any:
        viewport = {"width": size[0], "height": size[1]}
        context = browser.new_context(viewport=viewport, permissions=["microphone", "camera"], **more)
        contexts.append(context)
        page = context.new_page()
        page.on("console", told)
        page.on("pageerror", failed)
        page.goto(f"{server}/" if state is None else f"{server}/?sample={state}")
        if state in ("still", "dropped", "apart", "gone", "silenced", "failing", "lost", "ended"):
            page.wait_for_selector(".line.aside")
        elif state == "quiet" or (state is not None and state[0].isdigit()):
            page.wait_for_selector("[data-view=live]")
        elif state is not None:
            page.wait_for_selector("#talk-to >> text=Bicycle Shop", state="attached")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


def line(page: Any, at: int) -> Any:
    """A line of the transcript, counted from its end."""
    return page.locator(".line").nth(page.locator(".line").count() - at)


def test_the_files_are_what_their_source_builds(node: str) -> None:
    if not (CLIENTS / "node_modules").is_dir():
        pytest.skip("the clients' packages are not installed: make clients")
    done = subprocess.run([node, CLIENTS / "page/build.mjs", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_transcript_shows_what_was_heard_and_what_was_cut(shown: Open) -> None:
    page = shown("still")
    cut = line(page, 4)
    assert cut.locator(".words").inner_text().startswith("Any time before three.")
    assert (
        cut.locator("s").inner_text() == "true your rear wheel and have a look at the chain, which tends to"
    )
    assert "Not heard: true your" in cut.locator(".words").text_content()
    assert "You interrupted" in cut.inner_text()
    assert cut.locator(".took").inner_text().split("\n") == ["Answered after", "478 ms"]

    speaking = line(page, 2)
    assert speaking.locator(".coming").inner_text().endswith("the loan bike will be ready.")
    assert speaking.locator("s").count() == 0
    assert line(page, 1).inner_text() == "“mhm” did not interrupt"
    assert page.locator(".line").nth(2).inner_text().count("Used opening hours, 38 ms") == 1
    assert page.locator("#floor-words").inner_text() == "Bicycle Shop is speaking"
    assert page.locator("#floor").get_attribute("data-state") == "agent"


def test_the_waterfall_is_a_table_whose_parts_add_up(shown: Open) -> None:
    page = shown("still")
    assert page.locator("#figure").inner_text().split() == ["434", "ms"]
    parts = page.locator("#parts th button").evaluate_all(
        "buttons => buttons.map(button => button.firstChild.textContent)"
    )
    assert parts == [
        *("End of turn", "Recognition", "Language model"),
        *("First sentence", "Voice", "Playout", "Network, device"),
    ]
    took = [int(text) for text in page.locator("#parts .ms").all_inner_texts()]
    server, ear = (int(text) for text in page.locator("#total .ms").all_inner_texts())
    assert sum(took[:6]) == server == 389
    assert sum(took) == ear == 434
    assert page.locator("#total .ear td.number").all_inner_texts()[1:] == ["489", "874"]  # median and 95th
    assert "Turn 8" in page.locator("#caption").text_content()

    page.locator("#parts th button").nth(2).focus()
    assert page.locator("#detail").inner_text().startswith("Until the model gives the first word")
    page.locator("#parts tr").nth(0).hover()
    assert page.locator("#detail").inner_text().startswith("From your last sound")


def test_every_turn_can_be_looked_at(shown: Open) -> None:
    page = shown("still")
    bars = page.locator("#bars input")
    assert bars.count() == 8
    assert bars.nth(4).get_attribute("aria-label") == "Turn 5: 1060 ms at the ear, 1003 ms at the server"
    bars.nth(7).focus()
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    assert page.locator("#which").inner_text() == "Turn 5 of 8"
    assert page.locator("#figure").inner_text().split() == ["1060", "ms"]
    assert page.locator(".took[aria-current=true]").inner_text().endswith("1060 ms")
    page.locator(".took").nth(6).click()
    assert page.locator("#which").inner_text() == "Turn 7 of 8"


def test_a_conversation_by_keyboard_alone(shown: Open) -> None:
    page = shown("start")

    def focused() -> str:
        return page.evaluate("document.activeElement.id")

    page.keyboard.press("Tab")
    assert focused() == "open-devices"
    page.keyboard.press("Enter")
    assert page.locator("#devices").is_visible()
    page.keyboard.press("Escape")
    assert focused() == "open-devices"
    page.keyboard.press("Tab")
    assert focused() == "talk"
    assert page.get_by_role("button", name="Start talking to Bicycle Shop", exact=True).is_visible()
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-view=live]")
    assert focused() == "mic"
    assert page.locator("#status").text_content() == "Connected"
    page.keyboard.press("Space")
    assert page.locator("#mic").get_attribute("aria-pressed") == "false"
    assert page.locator("#mic").inner_text() == "Microphone\nMuted"
    page.keyboard.press("Tab")
    assert focused() == "camera"
    page.keyboard.press("Tab")
    assert focused() == "text"
    page.keyboard.type("A word in between")
    page.keyboard.press("Enter")
    page.wait_for_selector(".line.user >> text=A word in between")
    assert page.locator("#text").input_value() == ""
    page.wait_for_selector("#said >> text=You: A word in between", state="attached")
    page.keyboard.press("Tab")
    assert focused() == "end"
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-view=ended]")
    assert focused() == "again"
    assert "You ended the conversation." in page.locator("#ended-words").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, TABLET, PHONE], ids=["wide", "tablet", "phone"])
def test_every_state_fits_and_is_accessible(shown: Open, size: tuple[int, int], scheme: str) -> None:
    if not AXE.exists():
        pytest.skip("the clients' packages are not installed: make clients")
    for state in STATES:
        page = shown(state, size, color_scheme=scheme, reduced_motion="reduce", bypass_csp=True)
        page.add_script_tag(path=AXE)
        views = [state]
        if state == "still" and page.locator("#strip").is_visible():
            views.append("latency")
        for view in views:
            if view == "latency":
                page.locator("#strip").click()
                assert page.locator("#waterfall").is_visible()
            wider = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert wider <= 0, f"{view} is {wider} px too wide"
            if state in ("still", "ended"):
                taller = page.evaluate("document.documentElement.scrollHeight - innerHeight")
                assert taller <= 0, f"{view} is {taller} px too high: its parts scroll by themselves"
            found = page.evaluate("axe.run({ resultTypes: ['violations'] })")["violations"]
            assert not found, [(view, one["id"], [node["html"] for node in one["nodes"]]) for one in found]


def test_the_transcript_keeps_to_its_end_until_somebody_reads_further_up(shown: Open) -> None:
    page = shown("ended", PHONE)  # what says so takes some of its room
    assert page.locator(".line").last.is_visible()
    assert not page.locator("#latest").is_visible()
    page.locator("#scroll").focus()
    page.keyboard.press("Home")
    for _ in range(100):  # it glides there
        if page.locator("#scroll").evaluate("list => list.scrollTop") == 0:
            break
        page.wait_for_timeout(50)
    page.locator("#latest").click()
    page.wait_for_selector("#latest", state="hidden")


def test_what_goes_wrong_is_said_in_plain_words(shown: Open) -> None:
    page = shown("denied")
    assert "does not let this page use the microphone" in page.get_by_role("alert").inner_text()
    assert page.locator("#type").is_visible()

    page = shown("full")
    assert "All lines are busy." in page.get_by_role("alert").inner_text()
    assert page.locator("#talk").is_disabled()
    assert page.locator("#hint").inner_text().startswith("You can try again in ")
    assert "again in" not in page.get_by_role("alert").inner_text()  # it would be read out each second

    page = shown("key")
    assert "asks for a key" in page.get_by_role("alert").inner_text()
    assert page.get_by_label("Key").is_visible()
    assert not page.locator("#talk").is_visible()

    page = shown("lost")
    assert page.locator("#floor-words").inner_text() == "Connection lost. Trying again…"
    assert page.locator("#with").inner_text() == "Reconnecting"
    page.locator("#text").fill("Are you there?")
    assert page.locator("#send").is_disabled()
    page.keyboard.press("Enter")
    assert page.locator("#text").input_value() == "Are you there?"

    page = shown("gone")
    assert "The microphone has gone." in page.get_by_role("alert").inner_text()
    assert page.locator("#mic").get_attribute("aria-pressed") == "false"
    page.locator("#notice-close").click()
    assert not page.locator("#notice").is_visible()

    page = shown("failing")
    assert "the voice failed: no answer within 5 s" in page.get_by_role("alert").inner_text()

    page = shown("silenced")
    assert "The browser holds the sound back." in page.get_by_role("alert").inner_text()
    page.locator("#floor-words").click()
    page.wait_for_selector("#notice", state="hidden")

    page = shown("connecting")
    page.locator("#type >> text=Cancel").click()
    assert page.locator("#talk").is_enabled()


def test_turns_without_an_answer_say_why(shown: Open) -> None:
    page = shown("dropped")
    notes = page.locator(".line.user .note").all_inner_texts()
    assert notes == ["No answer, dropped: you went on speaking", "No answer, dropped: you typed instead"]
    assert page.locator("#legend-none").is_visible()
    assert not shown("still").locator("#legend-none").is_visible()

    assert page.locator("#which").inner_text() == "Turn 11 of 11, typed"
    assert page.locator("#beside").inner_text().startswith("from sending your message")
    medians = page.locator("#total .ear td.number").all_inner_texts()
    assert medians == ["341", "341", "341"]  # of typed turns alone
    page.locator("#bars input").nth(10).focus()
    page.keyboard.press("ArrowLeft")
    assert page.locator("#figure").inner_text() == "–"
    assert page.locator("#beside").inner_text() == "No answer. Dropped: you typed instead."
    assert page.locator("#total .ear td.number").all_inner_texts() == ["–", "489", "874"]  # of spoken ones


def test_where_the_two_ends_do_not_agree_no_figure_is_shown(shown: Open) -> None:
    page = shown("apart")
    assert page.locator("#figure").inner_text().split() == ["389", "ms"]
    assert page.locator("#beside").inner_text().endswith("at the server")
    assert page.locator("#parts .ms").all_inner_texts()[-1] == "–"
    assert page.locator("#total .ms").all_inner_texts() == ["389", "–"]
    page.locator("#parts th button").last.focus()
    assert page.locator("#detail").inner_text().startswith("Not measured in this turn")


def test_the_picture_at_the_start_says_that_it_is_an_example(shown: Open) -> None:
    assert shown("start").locator(".example").inner_text().startswith("An example, not a measurement")
    assert not shown("4").locator(".example").is_visible()


@pytest.mark.parametrize("size", [(1024, 768), (390, 844)], ids=["tablet", "phone"])
def test_every_turn_is_above_the_fold(shown: Open, size: tuple[int, int]) -> None:
    page = shown("dropped", size)
    if page.locator("#strip").is_visible():
        assert "Every turn" in page.locator("#strip").inner_text()
        page.locator("#strip").click()
    place = page.locator("#history").bounding_box()
    assert place["y"] + place["height"] <= size[1] / 2


def test_an_agent_that_does_not_greet_is_told_what_to_do_with(shown: Open) -> None:
    page = shown("quiet")
    page.wait_for_selector("#empty >> text=Bicycle Shop waits for you to begin.")
    assert "Say, for example: “Hello" in page.locator("#empty").inner_text()
    page.locator("#text").fill("Hello")
    page.keyboard.press("Enter")
    assert not page.locator("#empty").is_visible()


def test_the_microphone_is_tried_before_the_call(shown: Open) -> None:
    page = shown("start")
    page.locator("#open-test").click()
    page.wait_for_selector("#test-words >> text=You are heard well.", timeout=15_000)
    page.wait_for_function("document.querySelector('#test-level').value > 0.3", timeout=15_000)
    page.locator("#test-speaker").click()
    page.locator("#volume").fill("40")
    assert page.locator("#volume-words").inner_text() == "40 %"
    page.keyboard.press("Escape")
    page.wait_for_selector("#devices", state="hidden")
    page.locator("#open-devices").click()
    assert not page.locator("#test").is_visible()
    page.reload()
    page.locator("#open-devices").click()
    assert page.locator("#volume").input_value() == "40"


def test_keys(shown: Open) -> None:
    page = shown("4")

    def muted() -> bool:
        return page.locator("#mic").get_attribute("aria-pressed") == "false"

    page.keyboard.press("m")
    assert muted()
    page.keyboard.press("m")
    assert not muted()
    page.keyboard.press("t")
    page.keyboard.type("mmm")
    assert page.locator("#text").input_value() == "mmm"
    assert not muted()
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.id") == "mic"
    page.keyboard.press("?")
    assert page.locator("#devices").is_visible()
    for key in ("M", "V", "T", "D", "Space", "Esc"):
        assert page.locator("kbd", has_text=key).first.is_visible()
    page.locator("#keys").uncheck()
    page.keyboard.press("Escape")
    assert not page.locator("#devices").is_visible()
    page.keyboard.press("m")
    assert not muted()
    page.keyboard.press("Escape")
    assert "Press Escape again" in page.get_by_role("alert").inner_text()
    page.keyboard.press("Escape")
    page.wait_for_selector("[data-view=ended]")

    page = shown("still", PHONE)
    page.locator("#strip").click()
    page.keyboard.press("Escape")
    assert not page.locator("#waterfall").is_visible()
    page = shown("connecting")
    page.keyboard.press("Escape")
    assert page.locator("#talk").is_enabled()


def test_a_conversation_is_taken_along(shown: Open) -> None:
    page = shown("dropped")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator("#copy").click()
    page.wait_for_selector("#copy >> text=Copied")
    text = page.evaluate("navigator.clipboard.readText()")
    assert text.startswith("Conversation with Bicycle Shop, ")
    assert "\nYou: Half past ten, then.\nBicycle Shop (after 434 ms): Half past ten on Saturday." in text
    rows = text[text.index("Latency in milliseconds") :].splitlines()
    assert rows[1].split("\t")[:4] == ["turn", "how", "at your ear", "at the server"]
    assert rows[9].split("\t")[:5] == ["8", "spoken", "434", "389", "179"]
    assert rows[10].split("\t")[-1] == "dropped: you went on speaking"
    with page.expect_download() as download:
        page.locator("#download").click()
    assert download.value.suggested_filename.startswith("antiphon-bicycle-shop-")
    kept = json.loads(Path(download.value.path()).read_text())
    assert len(kept["turns"]) == 11
    assert kept["lines"][1] == {"who": "user", "text": "Hi, are you open on Saturday?", "turn": 1}


def test_a_server_that_is_down_is_not_called_a_browser_that_cannot(
    browser: Any, mortal_server: tuple[str, Callable[[], None]]
) -> None:
    server, kill = mortal_server
    with browser.new_context(permissions=["microphone"]) as context:
        page = context.new_page()
        page.goto(server)
        page.wait_for_selector("#talk-to >> text=Scripted", state="attached")
        kill()
        for begin in ("#talk", "#type"):
            page.locator(begin).click()
            page.wait_for_selector("#problem >> text=The server does not answer.", timeout=5000)


def test_the_floor_is_told_in_words(shown: Open) -> None:
    def words(second: str) -> str:
        return shown(second).locator("#floor-words").inner_text()

    assert words("2") == "Bicycle Shop is speaking"
    assert words("6") == "You are speaking"
    assert words("40.5") == "Bicycle Shop is using “loan bikes”"
    assert words("40.8") == "Bicycle Shop is thinking"  # the tool has ended, the answer has not begun
    page = shown("4")
    assert page.locator("#floor-words").inner_text() == "Listening"
    page.locator("#mic").click()
    assert page.locator("#floor-words").inner_text() == "Your microphone is off"
    page.locator("#mic").click()
    assert page.locator("#floor-words").inner_text() == "Listening"


def test_what_is_there_stays_in_its_place(shown: Open) -> None:
    page = shown("first")
    page.wait_for_selector(".line.agent")
    page.evaluate(MOVED)
    page.wait_for_selector("#which >> text=Turn 2", timeout=20_000)
    assert not {"stage", "floor", "parts", "total", "detail", "history", "controls"} & set(
        page.evaluate("moved")
    )


def test_fingers_hit_every_control(shown: Open) -> None:
    for state in ("start", "denied", "key", "still", "gone", "ended"):
        page = shown(state, (390, 844), has_touch=True)
        assert page.evaluate(SMALL) == [], state
        if state == "still":
            page.locator("#strip").click()
            assert page.evaluate(SMALL) == [], "latency"
            page.locator("#open-devices").click()
            assert page.evaluate(SMALL) == [], "devices"


def test_magnified_twofold_the_latest_words_are_in_view(shown: Open) -> None:
    page = shown("still", (640, 400))
    assert page.evaluate("document.documentElement.scrollHeight <= innerHeight")
    place = line(page, 2).locator(".words").bounding_box()
    controls = page.locator("#strip").bounding_box()
    assert place["y"] + place["height"] <= controls["y"]
    page = shown("start", (640, 400))
    place = page.locator("#type").bounding_box()
    assert place["y"] + place["height"] <= 400


def test_a_microphone_that_goes_and_a_server_that_dies(
    browser: Any, mortal_server: tuple[str, Callable[[], None]]
) -> None:
    server, kill = mortal_server
    with browser.new_context(permissions=["microphone"]) as context:
        page = context.new_page()
        page.add_init_script(
            """const devices = navigator.mediaDevices;
            const ask = devices.getUserMedia.bind(devices);
            devices.getUserMedia = async (wanted) => {
                const stream = await ask(wanted);
                window.track = stream.getTracks()[0];
                return stream;
            };"""
        )
        page.goto(server)
        page.locator("#talk").click()
        page.wait_for_selector("[data-view=live]", timeout=20_000)
        page.evaluate("track.stop(), track.dispatchEvent(new Event('ended')), null")
        page.wait_for_selector("#notice-words >> text=The microphone has gone.")
        assert page.locator("#mic").get_attribute("aria-pressed") == "false"
        page.locator("#mic").click()
        page.wait_for_selector("#notice", state="hidden")
        assert page.locator("#mic").get_attribute("aria-pressed") == "true"

        kill()
        page.wait_for_selector("#with >> text=Reconnecting", timeout=4500)
        page.wait_for_selector("#notice-words >> text=There is still no connection.", timeout=8000)
        page.locator("#end").click()
        page.wait_for_selector("#ended-words >> text=You ended the conversation.")


def test_talking_to_a_server(shown: Open) -> None:
    page = shown()
    page.wait_for_selector("#greeting >> text=Talk to Scripted")
    page.locator("#talk").click()
    page.wait_for_selector("[data-view=live]", timeout=20_000)
    page.wait_for_selector(".line.user >> text=What time is it?", timeout=20_000)
    page.wait_for_selector(".line.agent >> text=It is noon and all is well.", timeout=20_000)
    page.wait_for_selector("#total .ear .ms >> text=/^[0-9]+$/", timeout=20_000)
    server, ear = (int(text) for text in page.locator("#total .ms").all_inner_texts())
    assert server <= ear < server + 1000
    assert page.locator("#bars input").count() >= 1

    page.locator("#mic").click()
    page.locator("#text").fill("tell me something long")
    page.keyboard.press("Enter")
    page.wait_for_selector(".line.agent >> text=I shall tell you all about it", timeout=20_000)
    page.wait_for_selector("#floor-words >> text=Scripted is speaking", timeout=20_000)
    page.locator("#text").fill("the time, please")
    page.keyboard.press("Enter")
    page.wait_for_selector(".line.agent s", timeout=20_000)
    assert page.locator(".line.user").all_inner_texts()[-1].split("\n")[-1] == "the time, please"

    page.locator("#camera").click()
    page.wait_for_selector("#mine")
    page.locator("#end").click()
    page.wait_for_selector("#ended-words >> text=You ended the conversation.")
    page.locator("#again").click()
    page.wait_for_selector("[data-view=live]", timeout=20_000)
    assert page.locator(".line").count() == 0
