"""The pages in a real browser: what they request, whether everyone can read them."""

import json
import os
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import nbclient
import pytest
from axe_core_python.selenium import Axe
from nbformat import v4
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

from analysis.claims import card, findings, wording
from sample_findings import beyond, each_verdict
from shells import PATIENCE
from workbook.pages import region_page, report
from workbook.pages.entry import Entry
from workbook.pages.index import index, with_entries

pytestmark = pytest.mark.slow

CHROMIUM, DRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
PHONE, DESK = 400, 1280

NOTEBOOK = [
    v4.new_code_cell("language = 'en'", metadata={"tags": ["parameters"]}),
    v4.new_markdown_cell("# Drivers of satisfaction\nWhy anyone would act on it."),
    v4.new_markdown_cell("## Data\nA picture before any model."),
    v4.new_code_cell(
        "import matplotlib.pyplot as plt\nimport pandas as pd\n"
        "from analysis import figure, table, use_theme\n"
        "from analysis.figures import marks\nuse_theme(language)\n"
        "data = pd.DataFrame({'visits': [1.0, 2, 3, 4], 'sales': [2.0, 3, 5, 9]})\n"
        "wide = pd.DataFrame(1234.5, index=['north'], columns=[f'column_{i}' for i in range(20)])\n"
        "table(wide, 'A table that is wider than a phone', key='north')\n"
        "fig, ax = plt.subplots(figsize=(7.2, 2.5))\n"
        "marks.binned_means(ax, data['visits'], data['sales'], bins=2)\n"
        "figure(fig, 'Two means.', 'Sales rise with visits.')"
    ),
    v4.new_markdown_cell("## H03 Loss against gain"),
    v4.new_code_cell(
        "from analysis.statistics.estimate import from_se\n"
        "from analysis.claims.finding import conclude\n"
        "from analysis.claims.hypotheses import hypothesis\n"
        "from analysis.claims.verdicts import Check\n"
        "print('a line of output')\n"
        "conclude(hypothesis('H03'), 'example', 'North', {'asymmetry': from_se(0.3, 0.05, 900)},\n"
        "         checks=[Check('Enough customers', 'at least 200', '900', True)],\n"
        "         caveats=['One wave only.'], meaning='Worth knowing.')"
    ),
    v4.new_markdown_cell("## H21 Winning against keeping"),
    v4.new_code_cell(
        "conclude(hypothesis('H21'), 'example', 'North', {'cost_ratio': from_se(6, 2, 2172)})"
    ),
    v4.new_markdown_cell("## H01 Performance against expectation"),
    v4.new_code_cell(
        "effects = {'performance': from_se(0.3, 0.05, 900), 'expectation': from_se(0, 0.02, 900)}\n"
        "conclude(hypothesis('H01'), 'example', 'North', effects)"
    ),
]


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    if not (CHROMIUM.exists() and DRIVER.exists()):
        told = f"{CHROMIUM} and {DRIVER} are needed to open the pages."
        (pytest.fail if os.environ.get("REQUIRE_BROWSER") == "1" else pytest.skip)(told)
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('browser')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=Service(str(DRIVER)))
    yield browser
    browser.quit()


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Write a page of a notebook that was really run, the page of a failed run, and the index."""
    folder = tmp_path_factory.mktemp("reports")
    notebook = v4.new_notebook(cells=NOTEBOOK)
    nbclient.NotebookClient(notebook, timeout=PATIENCE, kernel_name="python3").execute()
    about = {
        "source": "example", "region": "North 华北", "notebook": "H03_loss",
        "theme": "satisfaction", "claim": "H03", "status": "ok", "error": "", "language": "en",
        "parameters": {"region": "North 华北"},
    }  # fmt: skip
    notebook.metadata["workbook"] = about
    found = tuple(findings.records(notebook))
    (folder / "north.html").write_text(report.page(notebook, "index.html"), encoding="utf-8")
    notebook.metadata["workbook"] = about | {"status": "failed", "error": "No survey."}
    notebook.cells[-1].execution_count = None
    (folder / "failed.html").write_text(report.page(notebook, "index.html"), encoding="utf-8")
    runs = list(entries(about, found))
    (folder / "index.html").write_text(index(runs, beyond(runs)), encoding="utf-8")
    known = with_entries(beyond(runs), runs)
    place = ("example", "North 华北")
    html = region_page.page(place, known.by_place[place], known)
    (folder / "region.html").write_text(html.replace("../../", ""), encoding="utf-8")
    return folder


def entries(about, found):
    """Yield the runs of several regions, among them every verdict."""
    names = ("source", "notebook", "theme", "error")
    same = {name: about[name] for name in names} | {"title": "Drivers"}
    for record in found:
        own = {"claim": record["hypothesis"], "record": record, "region": "North 华北"}
        yield Entry(**same, **own, href="north.html", status="ok")
    for i, record in enumerate(each_verdict().values()):
        region = f"Region {i} <b>"
        own = {"claim": record["hypothesis"], "record": record, "region": region}
        yield Entry(**same, **own, href="north.html", status="ok")
    failed = same | {"error": "No survey.", "region": "East", "href": "failed.html", "claim": ""}
    yield Entry(**failed, status="failed")


@pytest.fixture(params=["north", "failed", "index", "region"])
def page(request, pages):
    return (pages / f"{request.param}.html").as_uri()


def show(driver, address, *, theme="light", width=DESK, scripts=True):
    """Open a page anew, with the logs of other pages cleared."""
    media = {"features": [{"name": "prefers-color-scheme", "value": theme}]}
    screen = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width == PHONE}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not scripts})
    driver.get("about:blank")
    for kind in ("performance", "browser"):
        driver.get_log(kind)
    driver.get(address)


def requests(driver):
    """Return the addresses that the page asked for since it was opened."""
    events = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    asked = [event for event in events if event["method"] == "Network.requestWillBeSent"]
    return [event["params"]["request"]["url"] for event in asked]


def test_a_page_requests_nothing_but_itself(driver, page):
    show(driver, page)
    asked = [address for address in requests(driver) if not address.startswith("data:")]
    assert asked == [page]


def test_no_error_in_the_console(driver, page):
    show(driver, page)
    assert driver.get_log("browser") == []


@pytest.fixture
def server():
    """Run a web server on this machine that remembers what it was asked for."""

    class Listener(BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.asked.append(self.path)
            self.send_error(404)

    with ThreadingHTTPServer(("127.0.0.1", 0), Listener) as listening:
        listening.asked = []
        Thread(target=listening.serve_forever, daemon=True).start()
        yield listening
        listening.shutdown()


@pytest.mark.parametrize("with_policy", [True, False])
def test_only_the_policy_stops_what_a_notebook_brought_in(driver, pages, server, with_policy):
    html = (pages / "north.html").read_text(encoding="utf-8")
    meta = re.search(r"<meta [^>]*Content-Security-Policy[^>]*>", html)[0]
    image = f'<img alt="" src="http://127.0.0.1:{server.server_port}/x.png">'
    added = f'{image}<script>document.title = "taken"</script>'
    bad = re.sub(r"<main[^>]*>", lambda found: found[0] + added, html)
    (pages / "bad.html").write_text(bad.replace(meta, meta if with_policy else ""), "utf-8")
    show(driver, (pages / "bad.html").as_uri())
    assert server.asked == ([] if with_policy else ["/x.png"])
    assert (driver.title == "taken") is not with_policy


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, DESK])
def test_everyone_can_read_it(driver, page, theme, width):
    show(driver, page, theme=theme, width=width)
    driver.execute_script(
        "document.querySelectorAll('details').forEach((each) => each.open = true)"
    )
    found = Axe().run(driver)
    assert len(found["passes"]) > 10
    assert [
        (each["id"], [node["html"] for node in each["nodes"]]) for each in found["violations"]
    ] == []


def test_themes_differ_and_the_button_switches(driver, page):
    def background():
        return driver.execute_script("return getComputedStyle(document.body).backgroundColor")

    show(driver, page, theme="light")
    light = background()
    driver.find_element(By.ID, "theme").click()
    dark = background()
    driver.find_element(By.ID, "theme").click()
    driver.execute_script("localStorage.clear()")
    assert light == "rgb(255, 255, 255)"
    assert dark != light
    assert background() == light


def test_readable_without_scripts(driver, pages):
    show(driver, (pages / "index.html").as_uri(), scripts=False)
    assert not driver.find_element(By.ID, "theme").is_displayed()
    read = driver.find_element(By.CSS_SELECTOR, ".matrix").text
    for verdict, word in wording.words("en")["verdict"].items():
        assert f"{card.SYMBOLS[verdict]}\n{word}" in read
    show(driver, (pages / "north.html").as_uri(), scripts=False)
    read = driver.find_element(By.TAG_NAME, "main").text
    assert "✓ Supported" in read
    assert "the whole interval meets the claim of at least +0.15" in read
    assert "import matplotlib" not in read
    driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_a_phone_needs_no_sideways_scroll(driver, page):
    show(driver, page, width=PHONE)
    measure = "const page = document.documentElement; return [page.scrollWidth, page.clientWidth]"
    needed, given = driver.execute_script(measure)
    assert given <= PHONE
    assert needed <= given


def test_row_heads_stay_in_sight_on_a_phone(driver, pages):
    show(driver, (pages / "index.html").as_uri(), width=PHONE)
    left = (
        "const box = document.querySelector('.matrix'); box.scrollLeft = 500;"
        "return [box.scrollLeft, ...['.theme th', 'tbody tr:not(.theme) th'].map("
        "each => box.querySelector(each).getBoundingClientRect().left)]"
    )
    scrolled, *heads = driver.execute_script(left)
    assert scrolled > 100
    assert all(0 <= head < 40 for head in heads)


def test_links_of_the_index_reach_their_sections(driver, pages):
    show(driver, (pages / "index.html").as_uri())
    links = [
        link.get_attribute("href") for link in driver.find_elements(By.CSS_SELECTOR, ".matrix td a")
    ]
    to_north = [link for link in links if "north.html#" in link]
    assert {link.partition("#")[2] for link in to_north} >= {"H01", "H03"}
    for link in {each for each in to_north if each.endswith(("H01", "H03"))}:
        show(driver, link)
        target = driver.find_element(By.ID, link.partition("#")[2])
        assert "card" in target.get_attribute("innerHTML")
        top = driver.execute_script("return arguments[0].getBoundingClientRect().top", target)
        assert 0 <= top < 900
    assert all(Path(link.partition("#")[0].removeprefix("file://")).exists() for link in links)


def test_code_is_folded_until_it_is_asked_for(driver, pages):
    show(driver, (pages / "north.html").as_uri())
    assert "import matplotlib" not in driver.find_element(By.TAG_NAME, "main").text
    driver.find_element(By.ID, "show-code").click()
    assert "import matplotlib" in driver.find_element(By.TAG_NAME, "main").text


def test_figures_and_tables_can_be_taken_from_the_page(driver, pages):
    show(driver, (pages / "north.html").as_uri())
    offered = [each.text for each in driver.find_elements(By.CSS_SELECTOR, ".downloads button")]
    assert {"Download: PNG", "Download: SVG", "Download: Table (CSV)"} <= set(offered)
    read = "made.then((file) => file.text()).then(arguments[0])"
    svg = "const made = inflated(document.querySelector('figure').dataset.svg);"
    assert driver.execute_async_script(svg + read).startswith("<?xml")
    csv = "const made = Promise.resolve(asCsv(document.querySelector('.table table')));"
    head, row = driver.execute_async_script(csv + read).removeprefix("\ufeff").split("\r\n")[:2]
    assert head.startswith('"","column 0","column 1"')
    assert row.startswith('"north","1,23')


def test_print_leaves_out_what_paper_cannot_do(driver, pages):
    show(driver, (pages / "north.html").as_uri(), theme="dark")
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    hidden = [".toolbar", ".contents", ".code"]
    style = "return getComputedStyle(document.querySelector(arguments[0])).display"
    assert [driver.execute_script(style, each) for each in hidden] == ["none"] * 3
    colour = driver.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert colour == "rgb(255, 255, 255)"
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
