import copy
import re

import pytest
from bs4 import BeautifulSoup
from nbformat import v4

from analysis.claims import hypotheses
from analysis.claims.finding import conclude
from analysis.claims.verdicts import Check
from analysis.statistics.estimate import from_se
from sample_findings import BLOCKING, beyond, each_verdict, loss_against_gain, performance
from workbook.pages import index as index_page
from workbook.pages import plain, report

EVIL = "North 华北 <script>alert(1)</script>"
TRACEBACK = 'Traceback (most recent call last)\n  File "/home/someone/x.py", line 3\nValueError: no'


def code(source, *outputs, count=1, tags=()):
    return v4.new_code_cell(
        source, outputs=list(outputs), execution_count=count, metadata={"tags": list(tags)}
    )


def finding(found):
    return v4.new_output("execute_result", found._repr_mimebundle_(), execution_count=1)


def markdown(text):
    return v4.new_output("display_data", {"text/markdown": text})


def error():
    message = "file /home/someone/private/data.csv is <missing>"
    return v4.new_output(
        "error", ename="ValueError", evalue=message, traceback=[TRACEBACK, "\x1b[31mred\x1b[0m"]
    )


def notebook(*more, region="North 华北", status="ok", message="", language="en"):
    cells = [
        v4.new_markdown_cell("# Drivers of satisfaction\nWhy anyone would act on it."),
        code("region = 'default'", tags=["parameters"]),
        code("region = 'secret'", tags=["injected-parameters"]),
        v4.new_markdown_cell("## Data\nOne row per customer.\n\n## 模型 & model"),
        code("show(1)", markdown("**2,610** customers"), v4.new_output("stream", text="printed")),
        code("find()", finding(loss_against_gain(0.3, 0.05))),
        *more,
    ]
    about = {
        "source": "example", "region": region, "notebook": "H03_loss", "theme": "satisfaction",
        "claim": "H03", "status": status, "error": message, "language": language,
        "parameters": {"region": region, "seed": 7, "password": "hunter2"},
    }  # fmt: skip
    python = {"name": "python", "version": "3.11.7"}
    return v4.new_notebook(cells=cells, metadata={"workbook": about, "language_info": python})


def parsed(*args, **kwargs):
    return BeautifulSoup(report.page(notebook(*args, **kwargs), "../index.html"), "html.parser")


def entry(region="North 华北", *, record=None, error="", **other):
    key = record["hypothesis"] if record else ""
    given = {
        "source": "example", "region": region, "notebook": f"{key}_of_it", "theme": "satisfaction",
        "claim": key, "href": "a/b.html", "status": "failed" if error else "ok", "error": error,
        "title": "Drivers", "record": record,
    }  # fmt: skip
    return index_page.Entry(**given | other)


def entries_of(*records, **other):
    return [entry(record=record, **other) for record in records]


def matrix(*entries):
    soup = BeautifulSoup(index_page.index(entries, beyond(entries)), "html.parser")
    lines = soup.select(".matrix tbody tr:not(.theme)")
    return soup, {row.th.text.split()[0]: row.find_all("td") for row in lines}


def test_page_starts_with_the_answer():
    soup = parsed()
    assert soup.h1.text == "Drivers of satisfaction"
    assert soup.select_one(".kicker").text == "Satisfaction · North 华北 · example"
    summary = soup.select_one(".verdicts li")
    assert summary.select_one(".chip").text == "✓ Supported"
    assert summary.a["href"] == "#H03"
    assert "+0.30 [+0.20, +0.40]" in summary.text
    positions = [str(soup).index(text) for text in ("</h1>", 'class="verdicts"', 'id="Data"')]
    assert positions == sorted(positions)
    assert soup.find(id="H03").select_one(".card.supported")
    assert len(soup.find_all("h1")) == 1


def test_contents_reach_every_section():
    soup = parsed()
    links = soup.select("nav a")
    assert [link.text for link in links] == ["Data", "模型 & model"]
    anchors = {head["id"] for head in soup.select("main h2[id]")}
    assert {link["href"].removeprefix("#") for link in links} <= anchors
    assert soup.select_one(".toolbar a")["href"] == "../index.html"


def test_second_finding_of_a_hypothesis_has_no_second_anchor():
    again = parsed(code("again()", finding(loss_against_gain(0.3, 0.05))))
    assert len(again.select("#H03")) == 1
    assert len(again.select("article.card")) == 2


def test_parameters_cells_are_hidden_and_code_is_folded():
    soup = parsed()
    codes = [block.pre.text.strip() for block in soup.select("details.code")]
    assert codes == ["show(1)", "find()"]
    assert not soup.select("details.code[open]")
    assert "printed" in soup.text


def test_the_cell_of_the_formula_is_open():
    soup = parsed(code('formula = "y ~ x"'), code("formula = usable(formula)\nfit(formula)"))
    (shown,) = soup.select("details.code[open]")
    assert shown.pre.text.strip() == 'formula = "y ~ x"'


def test_footer_says_what_the_page_is_made_of():
    footer = parsed().footer.text
    for expected in ("region = North 华北", "seed = 7", "Python 3.11.7", hypotheses.fingerprint()):
        assert expected in footer
    assert "hunter2" not in footer


def test_errors_are_messages_and_stderr_is_dropped():
    warning = v4.new_output("stream", name="stderr", text="a warning")
    soup = parsed(code("broken()", error(), warning))
    assert soup.select_one(".message").text == "This step broke: file data.csv is <missing>"
    assert "a warning" not in soup.text
    assert "Traceback" not in str(soup)
    assert "someone" not in str(soup)


def test_failed_page_stops_where_the_run_stopped():
    after = v4.new_markdown_cell("## Verdict\nAs seen above, it holds.")
    never_run = code("never()", count=None)
    soup = parsed(
        v4.new_markdown_cell("## Model"), code("broken()", error()), after, never_run,
        status="failed", message=TRACEBACK,
    )  # fmt: skip
    assert soup.select_one(".card.failed .message").text == "ValueError: no"
    assert [link.text for link in soup.select("nav a")] == ["Data", "模型 & model", "Model"]
    assert "it holds" not in soup.text
    assert soup.select_one(".stopped")
    assert "Traceback" not in str(soup)
    assert "someone" not in str(soup)
    assert soup.find(id="H03")


def test_page_of_a_kernel_that_died_stops_before_the_first_cell_not_run():
    soup = parsed(code("killed()", count=None), status="failed", message="The kernel died.")
    assert "killed" not in str(soup)
    assert soup.find(id="H03")


def test_no_script_of_the_data_gets_through():
    outputs = [
        v4.new_output("display_data", {"text/html": f"<p>{EVIL}</p><iframe src=x></iframe>"}),
        v4.new_output("display_data", {"application/javascript": "alert(2)"}),
        markdown(f"Hello {EVIL}"),
    ]
    record_of_evil = finding(loss_against_gain(0.3, 0.05, region=EVIL, meaning=EVIL))
    soup = parsed(code("evil()", *outputs, record_of_evil), region=EVIL, message=EVIL)
    assert len(soup.find_all("script")) == 1
    assert "alert(" not in soup.script.text
    assert not soup.find("iframe")
    assert EVIL in soup.select_one(".kicker").text
    assert f"Hello {EVIL}" in soup.text


def test_pages_ask_for_nothing():
    page = report.page(notebook(), "index.html")
    entries = entries_of(*each_verdict().values())
    index = index_page.index(entries, beyond(entries))
    for html in (page, index):
        assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//|url\(|@import""", html)
        policy = BeautifulSoup(html, "html.parser").find("meta", content=re.compile("default-src"))
        assert policy["content"].startswith("default-src 'none'; img-src data:;")


def test_same_notebook_same_bytes_and_left_alone():
    first, second = notebook(), notebook()
    untouched = copy.deepcopy(first)
    assert report.page(first, "index.html") == report.page(second, "index.html")
    assert first == untouched
    entries = entries_of(*each_verdict().values())
    assert index_page.index(entries, beyond(entries)) == index_page.index(entries, beyond(entries))


def test_language_of_the_page():
    soup = parsed(language="zh")
    assert soup.html["lang"] == "zh"
    assert soup.select_one(".toolbar a").text == "所有地区"


def test_title_without_heading_is_the_name_of_the_notebook():
    bare = v4.new_notebook(metadata={"workbook": {"notebook": "across_regions"}})
    assert report.title(bare) == "Across regions"


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        (TRACEBACK, "ValueError: no"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("No such file: '/srv/data/north.csv'", "No such file: 'north.csv'"),
        (r"No such file: C:\Users\me\north.csv", "No such file: north.csv"),
        ("3/4 of and/or https://example.org/a/b", "3/4 of and/or https://example.org/a/b"),
    ],
)
def test_plain_message(text, plain):
    assert report.plain_message(text) == plain


def test_index_has_a_cell_for_every_hypothesis_and_region():
    north, east = each_verdict(), each_verdict(region="East")
    soup, rows = matrix(
        *entries_of(north["supported"], north["not testable"]),
        entry("East", record=east["inconclusive"]),
    )
    heads = [head.text for head in soup.select(".matrix thead th")]
    assert heads == ["Claim", "North 华北", "East"]
    assert list(rows) == ["H03", "H04"]
    supported, inconclusive = rows["H03"]
    assert supported.a["href"] == "a/b.html#H03"
    for expected in ("✓Supported", "+0.30 [+0.20, +0.40]"):
        assert expected in supported.text
    assert "?Inconclusive" in inconclusive.text
    assert "–Not testable" in rows["H04"][0].text
    assert rows["H04"][1].text == "not run"
    counts = [item.text.strip() for item in soup.select(".counts li")]
    assert counts == ["✓ Supported 1", "? Inconclusive 1", "– Not testable 1"]


def test_index_tells_failed_checks_and_failed_runs():
    check = Check("Enough customers", "at least 200", "90", False)
    blocked = loss_against_gain(0.3, 0.05, check).record()
    failed = each_verdict(region="East")["failed"] | {"hypothesis": "H03"}
    _, rows = matrix(
        entry(record=blocked),
        entry("East", record=failed, error="Reason."),
        entry("East", notebook="profile", error="File /srv/x/y.csv is <missing>."),
    )
    assert "check failed" in rows["H03"][0].text
    assert "!Failed" in rows["H03"][1].text
    assert "!Failed" in rows["Drivers"][1].text
    assert "File y.csv is <missing>." in rows["Drivers"][1].text


def test_an_index_has_one_language_whatever_that_of_a_run():
    record = performance(from_se(0.3, 0.04, 900), from_se(0.0, 0.02, 900), "zh").record()
    soup, rows = matrix(entry(record=record), *entries_of(*each_verdict().values()))
    assert soup.html["lang"] == "en"
    said = rows["H01"][0].text.replace("North 华北", "")
    assert not re.search("[\u4e00-\u9fff]", said), said


def test_index_names_what_no_notebook_tests():
    soup, rows = matrix(*entries_of(*each_verdict().values()))
    (line,) = (p.text for p in soup.find_all("p") if "Not run here yet: " in p.text)
    register = hypotheses.register()
    assert {key for key in register if f"{key} {register[key].title['en']}" in line} == (
        set(register) - set(rows)
    )


def test_index_links_notebooks_without_hypotheses_and_tells_sources_apart():
    profile = {"notebook": "data_profile", "title": "Data profile <1>", "href": "p.html"}
    other = entry("East", **profile | {"source": "other"})
    soup, _ = matrix(entry(**profile), other, *entries_of(*each_verdict().values()))
    last = soup.select(".matrix tbody tr")[-1]
    assert last.th.text == "Data profile <1>"
    assert [cell.a["href"] for cell in last.find_all("td")] == ["p.html", "p.html"]
    assert [small.text for small in soup.select("thead small")] == ["example", "other"]


def test_empty_index_names_the_whole_register():
    soup, rows = matrix()
    assert not rows
    assert all(key in soup.text for key in hypotheses.register())


def test_the_list_of_a_region_is_linked_from_the_index():
    href = "example/North/calls_customers_to_call.csv"
    calls = {"notebook": "calls"}
    soup, _ = matrix(entry(files=(href,), **calls), entry(region="East 华东", **calls))
    row = next(row for row in soup.select(".matrix tbody tr") if "Customers to call" in row.th.text)
    north, east = row.find_all("td")
    assert north.a["href"] == href
    assert north.a.text.strip() == "→Open the list"
    assert east.a["href"].endswith(".html")
    assert east.a.text.strip().startswith("→No list: too little data")


def test_a_region_whose_report_was_not_run_has_no_list_either():
    href = "example/North/calls_customers_to_call.csv"
    north = entry(files=(href,), notebook="calls")
    soup, _ = matrix(north, entry(region="East 华东"))
    row = next(row for row in soup.select(".matrix tbody tr") if "Customers to call" in row.th.text)
    assert row.find_all("td")[1].text.strip() == "not run"


def test_index_says_which_parts_are_open_and_that_none_decides_where_a_check_does():
    known = hypotheses.hypothesis("H15")
    effects = [from_se(0.4, 0.05, 900), from_se(0.1, 0.2, 900), from_se(0.2, 0.2, 900)]
    effects = dict(zip((part.key for part in known.parts), effects, strict=True))
    still_open = conclude(known, "example", "North 华北", effects)
    blocked = conclude(known, "example", "North 华北", effects, checks=(BLOCKING,))
    (said,) = plain.decider(still_open.record())
    assert said.startswith("left open by mature less growing: ")
    assert said.endswith(" (and 1 more)")
    assert plain.decider(blocked.record()) == []
