"""The map of the index in a real browser: filters, order, arrow keys, paper, size."""

import base64
import re
from urllib.parse import quote

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

import test_browser
from sample_findings import beyond, loss_against_gain
from test_browser import show
from workbook.pages.entry import Entry
from workbook.pages.index import PER_SHEET, index

pytestmark = pytest.mark.slow

driver = test_browser.driver
MANY = 45


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """An index of many regions and two claims; every fourth region contradicts them."""
    entries = []
    for key, name in (("H03", "H03_loss"), ("H06", "H06_told")):
        for i in range(MANY):
            region = f"Region {i:02d} 地区"
            record = loss_against_gain(-0.4 if i % 4 == 0 else 0.3, 0.05, region=region).record()
            record["parts"][0]["n_obs"] = 100 + i
            if key == "H06":
                record |= {"hypothesis": key, "parts": [record["parts"][0] | {"key": "told_ratio"}]}
            same = {"source": "example", "theme": "satisfaction", "status": "ok", "error": ""}
            href = quote(f"example/{region}/{name}.html")
            own = {"region": region, "notebook": name, "claim": key, "href": href, "title": name}
            entries.append(Entry(**same, **own, record=record))
    known = beyond([each for each in entries if each.claim == "H03"])
    path = tmp_path_factory.mktemp("map") / "index.html"
    path.write_text(index(entries, known), encoding="utf-8")
    return path.as_uri()


def heads(driver):
    """Return the names of the regions that are shown."""
    found = driver.find_elements(By.CSS_SELECTOR, "thead [data-size]")
    return [each.get_attribute("textContent") for each in found if each.is_displayed()]


def test_a_filtered_view_is_in_the_address_and_comes_from_it(driver, address):
    show(driver, f"{address}#region=region+1&verdict=c&order=size")
    assert heads(driver) == [f"Region {i} 地区" for i in range(19, 9, -1)]
    assert "2 claims, 10 regions shown" in driver.find_element(By.CSS_SELECTOR, "output").text
    driver.find_element(By.NAME, "text").send_keys("H06")
    rows = [each.get_attribute("id") for each in driver.find_elements(By.CSS_SELECTOR, "tr[id]")
            if each.is_displayed()]  # fmt: skip
    assert rows == ["H06"]
    assert driver.current_url.endswith("#verdict=c&region=region+1&text=H06&order=size")
    driver.find_element(By.CSS_SELECTOR, "[type=reset]").click()
    driver.execute_async_script("setTimeout(arguments[0], 20)")
    assert len(heads(driver)) == MANY
    assert "=" not in driver.current_url


def test_arrow_keys_go_through_the_map_and_say_the_effect(driver, address):
    show(driver, address)
    first = driver.find_element(By.CSS_SELECTOR, "#H03 td:not(.pooled) a")
    first.send_keys(Keys.ARROW_RIGHT, Keys.NULL)
    driver.switch_to.active_element.send_keys(Keys.ARROW_DOWN)
    now = driver.switch_to.active_element
    assert now.get_attribute("href").endswith("H06_told.html#H06")
    said = driver.find_element(By.ID, "readout").text
    assert re.match(r"Region 01 地区 · H06 .*: ✓ Supported \+0\.30 \[\+0\.20, \+0\.40\]", said)
    stops = driver.find_elements(By.CSS_SELECTOR, "td:not(.pooled) a:not([tabindex='-1'])")
    assert len(stops) == 1


def test_heads_stay_in_both_directions(driver, address):
    show(driver, address)
    places = driver.execute_script(
        "const box = document.querySelector('.matrix'); box.scrollIntoView();"
        "box.style.maxHeight = '250px'; box.scrollTo(400, 120);"
        "const at = (each) => box.querySelector(each).getBoundingClientRect();"
        "const own = box.getBoundingClientRect();"
        "return [at('thead th').top - own.top, at('#H06 th').left - own.left,"
        " at('thead th').left - own.left]"
    )
    assert all(-1 <= each <= 3 for each in places)


@pytest.mark.parametrize("scripts", [True, False])
def test_paper_loses_no_region(driver, address, scripts):
    show(driver, address, scripts=scripts)
    driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    if scripts:
        driver.execute_script("dispatchEvent(new Event('beforeprint'))")
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert set(heads(driver)) == {f"Region {i:02d} 地区" for i in range(MANY)}
    sheets = driver.find_elements(By.CSS_SELECTOR, ".sheet h3")
    if scripts:
        assert [each.text for each in sheets][-1] == (
            f"Claims by region, sheet 3 of 3: Region {2 * PER_SHEET} 地区 to Region 44 地区"
        )
        driver.execute_script("dispatchEvent(new Event('afterprint'))")
        assert not driver.find_elements(By.CSS_SELECTOR, ".sheet")
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    printed = driver.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})["data"]
    assert base64.b64decode(printed).startswith(b"%PDF")


def test_a_hundred_regions_and_all_claims_fit_400_kb(driver, address, tmp_path):
    page = driver.execute_script("return document.documentElement.outerHTML.length")
    cell = driver.execute_script("return document.querySelector('#H03 td.s').outerHTML.length")
    assert page < 120_000
    assert 2_500 * cell < 330_000


def test_on_paper_the_words_are_open_and_no_name_stands_on_its_head(driver, address):
    """A Chinese character in a turned head would stand upright, and so upside down."""
    show(driver, address)
    seen = "return [...document.querySelectorAll('.glossary p')].map(p => p.checkVisibility())"
    assert set(driver.execute_script(seen)) == {False}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert set(driver.execute_script(seen)) == {True}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    style = "return getComputedStyle(document.querySelector('th[data-size] > a')).textOrientation"
    assert driver.execute_script(style) == "sideways"
