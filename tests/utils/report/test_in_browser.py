from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from selenium.webdriver import Chrome, Keys
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from tests.utils.report.browser import DESKTOP, PHONE, chromium, complaints, open_page, requests
from tests.utils.report.report_folders import write_explanations, write_run
from utils.report.all_runs_page import write_all_runs_report
from utils.report.run_page import write_run_report

PAGES = ("cls", "surv", "all")
by_page = pytest.mark.parametrize("name", PAGES)
by_page_and_long = pytest.mark.parametrize("name", [*PAGES, "long"])
by_size = pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
pytestmark = [pytest.mark.xdist_group("report in browser"), pytest.mark.slow]

# Elements that reach beyond the window, those within a box that scrolls excepted.
STICKING_OUT = """
const scrolls = (element) => element.closest(".scroll, svg, .skip, .chart-tip");
const sticksOut = (box) => box.width && (box.right > innerWidth + 0.5 || box.left < -0.5);
return [...document.body.querySelectorAll("*")]
  .filter((element) => !scrolls(element) && sticksOut(element.getBoundingClientRect()))
  .map((element) => element.outerHTML.slice(0, 120));
"""
LETTER_HEIGHTS = """
return [...document.querySelectorAll("svg.chart text")]
  .map((text) => parseFloat(getComputedStyle(text).fontSize) * text.ownerSVGElement.getScreenCTM().a);
"""
HIDDEN_TABLES = """
return [...document.querySelectorAll("table")]
  .filter((table) => !table.checkVisibility({contentVisibilityAuto: true}) || table.offsetHeight < 20)
  .map((table) => table.caption.textContent);
"""
UNNAMED = """
const name = (element) => element.textContent.trim() || element.alt || element.getAttribute("aria-label")
  || element.querySelector("img[alt]");
return [...document.querySelectorAll("button, a, main img, svg.chart, summary, [role=region]")]
  .filter((element) => !name(element)).map((element) => element.outerHTML.slice(0, 120));
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    with chromium(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The reports of a classification and a survival run, both explained, and that over all runs."""
    root = tmp_path_factory.mktemp("results")
    found = {}
    for task, dataset in (("cls", "BRCA"), ("surv", "LUAD")):
        run_dir = write_run(root / task / dataset / "mico_released", task, warnings=["a <b>warning</b>"])
        write_explanations(run_dir)
        found[task] = write_run_report(run_dir, n_resamples=100)
        for noise, model in enumerate(("abmil", "transmil"), start=2):
            write_run(root / task / dataset / model, task, model=model, noise=noise)
        long_name = "a_run_whose_name_is_longer_than_a_telephone_is_wide_" * 2
        write_run(
            root / task / dataset / long_name, task, model="dsmil", warnings=[long_name], splits={"fold0.csv": "x"}
        )
    found["long"] = write_run_report(write_run(root / "surv" / long_name / long_name, "surv"), n_resamples=20)
    found["all"] = write_all_runs_report(root, n_resamples=100)
    return found


def unfold(browser: Chrome) -> None:
    browser.execute_script("document.querySelectorAll('details').forEach((part) => { part.open = true; })")


def table_with(browser: Chrome, caption: str) -> WebElement:
    return browser.find_element(By.XPATH, f"//table[contains(caption, '{caption}')]")


def column(browser: Chrome, table: WebElement, index: int) -> list[str]:
    rows = "return [...arguments[0].tBodies[0].rows].map((row) => row.cells[arguments[1]].textContent)"
    return browser.execute_script(rows, table, index)


def sort_button(table: WebElement, heading: str) -> WebElement:
    return table.find_element(By.XPATH, f".//th[normalize-space()='{heading}']/button")


@by_page_and_long
@by_size
def test_it_fits_the_window_and_asks_for_nothing(
    browser: Chrome, pages: dict[str, Path], name: str, size: tuple[int, int]
):
    open_page(browser, pages[name], size)
    for _ in range(2):
        assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")
        assert browser.execute_script(STICKING_OUT) == []
        unfold(browser)
    assert complaints(browser) == []
    assert requests(browser) == [pages[name].as_uri()]


@by_page_and_long
def test_captions_of_wide_tables_are_whole_on_a_phone(browser: Chrome, pages: dict[str, Path], name: str):
    open_page(browser, pages[name], PHONE)
    unfold(browser)
    right = "return [...document.querySelectorAll('caption span')].map((span) => span.getBoundingClientRect().right)"
    assert max(browser.execute_script(right)) <= PHONE[0]


@by_page_and_long
def test_rows_of_tables_are_one_line_high_on_a_phone(browser: Chrome, pages: dict[str, Path], name: str):
    open_page(browser, pages[name], PHONE)
    unfold(browser)
    heights = "return [...document.querySelectorAll('tbody tr')].map((row) => row.getBoundingClientRect().height)"
    assert 10 < max(browser.execute_script(heights)) < 40


@by_page_and_long
@by_size
def test_tables_wider_than_their_box_say_that_they_scroll(
    browser: Chrome, pages: dict[str, Path], name: str, size: tuple[int, int]
):
    open_page(browser, pages[name], size)
    unfold(browser)
    wrong = """
    return [...document.querySelectorAll(".scroll")].filter((scroll) => {
      const hint = scroll.previousElementSibling;
      return hint.checkVisibility() !== (scroll.scrollWidth > scroll.clientWidth + 8);
    }).map((scroll) => scroll.getAttribute("aria-label"));
    """
    WebDriverWait(browser, 10).until(lambda _: browser.execute_script(wrong) == [])
    shown = [hint.text for hint in browser.find_elements(By.CSS_SELECTOR, ".hint") if hint.is_displayed()]
    assert set(shown) <= {"Scroll sideways for all columns \u2192"}
    assert shown or size == DESKTOP


@by_page
def test_text_in_charts_can_be_read_on_a_phone(browser: Chrome, pages: dict[str, Path], name: str):
    open_page(browser, pages[name], PHONE)
    unfold(browser)
    sizes = browser.execute_script(LETTER_HEIGHTS)
    assert len(sizes) > 20
    assert min(sizes) >= 9


@by_page
def test_without_javascript_everything_is_there_and_no_button_is_dead(
    browser: Chrome, pages: dict[str, Path], name: str
):
    open_page(browser, pages[name])
    with_script = visible(browser)
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        open_page(browser, pages[name])
        assert visible(browser) == with_script
        assert browser.find_elements(By.TAG_NAME, "button") == []
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def visible(browser: Chrome) -> dict[str, int]:
    """How many of each thing of the content are there."""
    selectors = ("main svg.chart", "main table", "main tbody tr", "main img", "main details")
    return {selector: len(browser.find_elements(By.CSS_SELECTOR, selector)) for selector in selectors}


def test_the_keyboard_skips_to_the_content_and_reaches_what_scrolls(browser: Chrome, pages: dict[str, Path]):
    open_page(browser, pages["surv"], PHONE)
    ActionChains(browser).send_keys(Keys.TAB).perform()
    skip = browser.switch_to.active_element
    assert skip.text == "Skip to the content"
    assert skip.location["x"] == 0
    skip.send_keys(Keys.ENTER)
    assert browser.switch_to.active_element.get_attribute("id") == "content"
    ActionChains(browser).send_keys(Keys.TAB).perform()
    box = browser.switch_to.active_element
    assert box.get_attribute("class") == "scroll"
    wide = table_with(browser, "Metrics of the test").find_element(By.XPATH, "..")
    ActionChains(browser).move_to_element(wide).perform()
    browser.execute_script("arguments[0].focus()", wide)
    ActionChains(browser).send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT).perform()
    WebDriverWait(browser, 5).until(lambda driver: driver.execute_script("return arguments[0].scrollLeft > 0", wide))


def test_a_table_sorts_by_numbers_with_the_mouse(browser: Chrome, pages: dict[str, Path]):
    open_page(browser, pages["surv"])
    unfold(browser)
    table = table_with(browser, "Predictions of the test")
    button = sort_button(table, "months")
    for order, is_reversed in (("ascending", False), ("descending", True)):
        button.click()
        assert button.find_element(By.XPATH, "..").get_attribute("aria-sort") == order
        months = [float(text) for text in column(browser, table, 3)]
        assert months == sorted(months, reverse=is_reversed)
    # Numbers as text would put 100 before 20.
    assert [str(value) for value in months] != sorted(map(str, months), reverse=True)


def test_a_table_sorts_by_text_with_the_keyboard_and_blanks_stay_last(browser: Chrome, pages: dict[str, Path]):
    open_page(browser, pages["surv"])
    unfold(browser)
    table = table_with(browser, "Anchors of fold 0")
    button = sort_button(table, "log hazard")
    for _ in range(2):
        button.send_keys(Keys.ENTER)
        assert browser.switch_to.active_element == button
        assert column(browser, table, 0)[-1] == "7"  # the anchor nearest to no patch
    name = sort_button(table_with(browser, "Predictions of the test"), "case")
    name.send_keys(Keys.SPACE)
    cases = column(browser, table_with(browser, "Predictions of the test"), 0)
    assert cases == sorted(cases)


def test_sorting_keeps_the_order_of_equal_rows(browser: Chrome, pages: dict[str, Path]):
    open_page(browser, pages["all"])
    unfold(browser)
    table = table_with(browser, "Patients and slides of each fold")
    before = list(zip(column(browser, table, 1), column(browser, table, 0), strict=True))
    sort_button(table, "part").click()
    after = list(zip(column(browser, table, 1), column(browser, table, 0), strict=True))
    assert after == sorted(before, key=lambda row: row[0])
    assert after != before


def test_a_picture_is_enlarged_and_the_focus_comes_back(browser: Chrome, pages: dict[str, Path]):
    open_page(browser, pages["cls"])
    button = browser.find_element(By.CSS_SELECTOR, ".picture button")
    dialog = browser.find_element(By.CSS_SELECTOR, "dialog")
    is_open = "return document.querySelector('dialog').open"
    for enlarge in (button.click, lambda: button.send_keys(Keys.ENTER)):
        enlarge()
        assert browser.execute_script(is_open)
        large = dialog.find_element(By.TAG_NAME, "img")
        assert large.get_attribute("naturalWidth") == "1000"
        assert large.size["width"] > button.size["width"]
        assert "attention" in dialog.text
        browser.switch_to.active_element.send_keys(Keys.ESCAPE)
        assert not browser.execute_script(is_open)
        assert browser.switch_to.active_element == button


def test_an_enlarged_picture_scrolls_on_a_phone(browser: Chrome, pages: dict[str, Path]):
    open_page(browser, pages["cls"], PHONE)
    browser.find_element(By.CSS_SELECTOR, ".picture button").click()
    large = browser.find_element(By.CSS_SELECTOR, "dialog img")
    assert large.size["width"] > 1.5 * PHONE[0]
    assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    box = browser.find_element(By.CSS_SELECTOR, "dialog").rect
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= PHONE[0]
    browser.switch_to.active_element.send_keys(Keys.ENTER)  # the focus is on "Close"
    assert not browser.execute_script("return document.querySelector('dialog').open")


def test_a_curve_shows_its_value_at_the_pointer(browser: Chrome, pages: dict[str, Path]):
    open_page(browser, pages["cls"])
    chart = browser.find_element(By.CSS_SELECTOR, "#curves svg.chart")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", chart)

    def text_at_the_pointer(_: Chrome) -> str:
        ActionChains(browser).move_to_element(chart).move_by_offset(3, 0).perform()
        return browser.find_element(By.CSS_SELECTOR, ".chart-tip").text  # empty where it is not shown

    # The scrolling before hides values, and on a busy machine it may end after the first move of the pointer.
    assert re.search(r"0\.\d", WebDriverWait(browser, 10).until(text_at_the_pointer))


@by_page
def test_dark_is_dark_and_readable(browser: Chrome, pages: dict[str, Path], name: str):
    for dark in (False, True):
        open_page(browser, pages[name], dark=dark)
        paper, ink = (colour(browser, "body", part) for part in ("background-color", "color"))
        assert (luminance(paper) < 0.05) is dark
        assert contrast(paper, ink) >= 7
        for selector in (".kind", "nav a", "h2", "caption", "svg.chart text.tick"):
            part = "fill" if "svg" in selector else "color"
            assert contrast(paper, colour(browser, selector, part)) >= 4.5, selector


def test_the_theme_button_turns_the_theme_of_the_system_round(browser: Chrome, pages: dict[str, Path]):
    for dark in (False, True):
        open_page(browser, pages["surv"], dark=dark)
        button = browser.find_element(By.CSS_SELECTOR, ".theme")
        for expected in (not dark, dark):
            button.click()
            assert (luminance(colour(browser, "body", "background-color")) < 0.05) is expected


@by_page
def test_print_is_light_and_shows_what_is_folded(browser: Chrome, pages: dict[str, Path], name: str):
    open_page(browser, pages[name], media="print", dark=True)
    assert luminance(colour(browser, "body", "background-color")) > 0.9
    assert browser.execute_script("return document.querySelectorAll('details:not([open])').length") > 2
    assert browser.execute_script(HIDDEN_TABLES) == []
    assert not browser.find_element(By.CSS_SELECTOR, ".theme").is_displayed()


@by_page
def test_print_keeps_headings_pictures_and_captions_together(browser: Chrome, pages: dict[str, Path], name: str):
    """What tells a browser where not to break a page; and no hint to scroll is printed."""
    open_page(browser, pages[name], media="print")
    assert all(not hint.is_displayed() for hint in browser.find_elements(By.CSS_SELECTOR, ".hint"))
    style = "return [...document.querySelectorAll(arguments[0])].map((e) => getComputedStyle(e)[arguments[1]])"
    expected = {
        (".graph, .picture, .gallery, figcaption", "breakInside"): "avoid",
        (".gallery > p, thead, h3", "breakAfter"): "avoid",
        (".charts, .pictures", "display"): "block",  # in a grid, a break after a heading is not avoided
        ("th button", "display"): "contents",  # else the headings of a table are empty on its further pages
    }
    for (selector, part), value in expected.items():
        assert set(browser.execute_script(style, selector, part)) <= {value}, selector
    assert browser.execute_script(style, ".graph", "breakInside")
    printed = browser.execute_cdp_cmd("Page.printToPDF", {"paperWidth": 8.27, "paperHeight": 11.69})
    assert len(printed["data"]) > 20_000


@by_page
def test_each_control_has_a_name_and_headings_come_in_order(browser: Chrome, pages: dict[str, Path], name: str):
    open_page(browser, pages[name])
    assert browser.execute_script(UNNAMED) == []
    levels = browser.execute_script(
        "return [...document.querySelectorAll('h1,h2,h3,h4')].map((h) => Number(h.tagName[1]))"
    )
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(following - level <= 1 for level, following in pairwise(levels))
    ids = browser.execute_script("return [...document.querySelectorAll('[id]')].map((element) => element.id)")
    assert len(ids) == len(set(ids))
    targets = [a.get_attribute("href").split("#")[1] for a in browser.find_elements(By.CSS_SELECTOR, "nav a, .skip")]
    assert set(targets) <= set(ids)


def colour(browser: Chrome, selector: str, part: str) -> tuple[float, float, float]:
    text = browser.execute_script(
        "return getComputedStyle(document.querySelector(arguments[0])).getPropertyValue(arguments[1])", selector, part
    )
    red, green, blue = (int(number) / 255 for number in re.findall(r"\d+", text)[:3])
    return red, green, blue


def luminance(rgb: tuple[float, float, float]) -> float:
    """Relative luminance of WCAG 2.2."""
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in rgb]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: tuple[float, float, float], other: tuple[float, float, float]) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)
