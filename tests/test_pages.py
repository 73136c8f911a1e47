"""The pages of motif discovery: complete, escaped, self-contained, and drawn by a browser where there is one."""

import json
import math
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from motif_discovery.methods import MESSAGE_SEQLETS, MODISCO, NEURONMOTIF, SEQLETS
from motif_discovery.page_data import Match, NeuronPage, PartRow
from motif_discovery.pages import layer_index, neuron_page, summarise
from tests.browser import chromium

HOSTILE = "<img src=x onerror=alert(1)>\"'&"
BREAKOUT = "</script><!--<script>alert(2)//"
PUM2 = Match("PUM2.H13", "Pumilio", 1e-9, 3.1e-7, 4, 12, "UGUAAAUA", "AUGUANAUA", 1, 8)
NEAREST = Match("FAR_AWAY", "", 0.2, 0.34, 4, 12, "UGUAAAUA", "GUAAA", -2, 5)


def counts_of(word="UGUAAAUA", start=4, width=18, n=100):
    """Return counts (4, width) of a word between uniform columns."""
    pfm = np.full((4, width), n // 4)
    for place, base in enumerate(word):
        pfm[:, start + place] = 2
        pfm["ACGU".index(base), start + place] = n - 6
    return pfm


def part(path="0-1", maximum=2.0, ratio=0.98, matches=(PUM2,), segments=((4, 12),)):
    return PartRow(path, 100, maximum, ratio * maximum, counts_of(), list(segments), list(matches))


def page_of(*parts, **changes):
    page = NeuronPage(
        model="hl_predictor", layer=3, neuron=2, neurons=[1, 2, 5], receptive_field=18, maximum=2.0,
        bin_counts=np.full(20, 400), bin_quota=400, parts=list(parts), databases=["literature.meme"], q_threshold=0.01,
        context="Windows are interior: no padding within the receptive field.", settings="0123abcd",
    )  # fmt: skip
    return replace(page, **changes)


class Reader(HTMLParser):
    """Collects the tags, links and visible text of a page as a browser would see them."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.attributes, self.text = [], [], ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text += data


def data_of(html):
    return json.loads(re.search(r'<script type="application/json" id="combmotif-data">(.*?)</script>', html)[1])


def rows_of(html):
    return re.findall(r"<tr data-kinds=.*?</tr>", html, flags=re.DOTALL)


def test_values_are_shown():
    html = neuron_page(page_of(part(), part("0-3", 1.5, 0.4, [])))
    text = Reader(html).text
    for shown in ("conv3 neuron 2", "hl_predictor", "18 nt", "8,000", "Windows are interior", "literature.meme"):
        assert shown in text
    first, second = rows_of(html)
    assert "0-1" in first
    for shown in ("2.000", "1.960", "0.980", "one pattern", "PUM2.H13", "Pumilio", "3.1×10<sup>−7</sup>", "UGUAAAUA"):
        assert shown in first
    assert "<span>5–12</span>" in first  # positions from 1, both ends included
    assert "part      UGUAAAUA\ndatabase AUGUANAUA" in html  # the segment starts at column 1 of the target
    assert "mixed" in second
    assert ">none<" in second
    assert '<meta name="combmotif-settings" content="0123abcd">' in html


def test_parts_come_by_activation_and_counts_survive():
    low, high = part("low", 1.0), replace(part("high", 3.0), pfm=counts_of("GGACUUCC", 10, n=5800))
    page = data_of(neuron_page(page_of(low, high)))
    assert [logo["path"] for logo in page["logos"]] == ["high", "low"]
    np.testing.assert_array_equal(page["logos"][0]["pfm"], high.pfm)
    np.testing.assert_array_equal(page["logos"][1]["pfm"], low.pfm)
    assert page["logos"][0]["segments"] == [[4, 12]]


def test_a_motif_above_the_threshold_is_only_the_nearest():
    page = page_of(part(matches=[NEAREST]))
    (row,) = rows_of(neuron_page(page))
    assert "nearest:" in row
    assert 'data-kinds="one"' in row
    assert "part     UGUAAAUA\n" in row
    assert "database   GUAAA<" in row  # a negative offset moves the target
    assert not summarise(page).significant
    assert "nearest:" in layer_index("m", 3, 18, [summarise(page)])


def test_names_from_files_stay_text():
    match = replace(PUM2, target=HOSTILE, alt=BREAKOUT, query_consensus=HOSTILE, target_consensus=BREAKOUT)
    page = page_of(
        part(BREAKOUT, matches=[match]), part(HOSTILE), model=BREAKOUT, databases=[HOSTILE], context=HOSTILE,
        settings=HOSTILE,
    )  # fmt: skip
    plain = neuron_page(page_of(part(), part()))
    for html, reference in (
        (neuron_page(page), plain),
        (layer_index(BREAKOUT, 3, 18, [summarise(page)]), layer_index("m", 3, 18, [summarise(page_of(part()))])),
    ):
        reader = Reader(html)
        assert sorted(set(reader.tags)) == sorted(set(Reader(reference).tags))
        assert reader.tags.count("script") == 3
        assert not [name for name, _ in reader.attributes if name.startswith("on") or name in ("src", "srcdoc")]
        assert HOSTILE in reader.text
        assert BREAKOUT in reader.text
        assert data_of(html)["model"] == BREAKOUT
        assert BREAKOUT not in html
        assert "<img" not in html
    assert [logo["path"] for logo in data_of(neuron_page(page))["logos"]] == [BREAKOUT, HOSTILE]


def test_pages_load_nothing():
    page = page_of(part())
    for html in (neuron_page(page), layer_index("m", 3, 18, [summarise(page)])):
        text = re.sub(r"// .*|xmlns=\S+", "", html)  # a namespace is a name, nothing is loaded from it
        assert not re.search(r"https?:|//[a-z]|@import|url\(|\bfetch\(|XMLHttpRequest", text)
        reader = Reader(html)
        assert "link" not in reader.tags
        links = {value for name, value in reader.attributes if name == "href"}
        assert links <= {"index.html", "conv3_neuron1.html", "conv3_neuron2.html", "conv3_neuron5.html"}
        assert "default-src 'none'" in html


@pytest.mark.parametrize(
    ("neuron", "before", "after"),
    [(2, 1, 5), (1, None, 2), (5, 2, None), (4, 2, 5)],
    ids=["inner", "first", "last", "own"],
)
def test_links_to_the_neighbours(neuron, before, after):
    html = neuron_page(page_of(part(), neuron=neuron))
    assert '<a href="index.html">' in html
    for rel, other in (("prev", before), ("next", after)):
        found = re.findall(rf'<a rel="{rel}" href="conv3_neuron(\d+)\.html">', html)
        assert found == ([] if other is None else [str(other)])


@pytest.mark.parametrize("maximum", [0.0, -1.5])
def test_a_neuron_that_never_fires_says_so(maximum):
    """Trap 5: no motif from a neuron that never fires."""
    page = page_of(maximum=maximum, bin_counts=np.zeros(20, dtype=int))
    html = neuron_page(page)
    assert "never fires" in Reader(html).text
    assert data_of(html)["logos"] == []
    assert "<canvas" not in html
    summary = summarise(page)
    assert (summary.parts, summary.best_pfm, summary.best_match) == (0, None, None)
    assert math.isnan(summary.best_ratio)
    (row,) = rows_of(layer_index("m", 3, 18, [summary]))
    assert "never fires" in row
    assert "silent" in row


def test_a_sample_without_a_part_says_so():
    text = Reader(neuron_page(page_of(bin_counts=np.eye(20, dtype=int)[3] * 7))).text
    assert "The 7 sampled sequences fall into parts that are all too small" in text


def test_pages_of_other_methods_say_what_their_parts_are_made_of():
    """Of the data set nothing is sampled, so there is no quota; TF-MoDISco and the stacks use the strongest only."""
    for method, used, quota, facts, explained in (
        (NEURONMOTIF, None, 400, "Sequences8,000", "demixing tree"),
        (SEQLETS, 100, 400, "Sequences100 of 8,000 sampled, the strongest", "all: the sampled sequences"),
        (MESSAGE_SEQLETS, 100, 0, "Messages100 of 8,000 that activate it, the strongest", "all: the best windows"),
        (MODISCO, 300, 400, "Sequences300 of 8,000 sampled, the strongest", "pos: raises the activation"),
    ):
        page = page_of(part("all"), method=method, used=used, bin_quota=quota, bin_counts=np.full(20, 400))
        html = neuron_page(page)
        text = Reader(html).text
        assert facts in text, method
        assert explained in text
        assert ("demixing tree" in text) == ("Drawn:" in text) == (method == NEURONMOTIF)
        assert ("reach the quota" in text) == ('class="quota"' in html) == (method != MESSAGE_SEQLETS)
        assert ("Messages per activation bin." in text) == (method == MESSAGE_SEQLETS)
        assert summarise(page).samples == (used or 8000)
        index = Reader(layer_index("m", 3, 18, [summarise(page)], method=method)).text
        assert ("Number of sampled sequences." in index) == (method == NEURONMOTIF)
    few = page_of(method=MESSAGE_SEQLETS, used=7, bin_quota=0, bin_counts=np.eye(20, dtype=int)[3] * 7)
    html = neuron_page(few)
    assert "The 7 messages that activate this neuron are too few" in html
    assert 'class="low"' not in html


def test_a_part_without_segment_or_database():
    html = neuron_page(page_of(part(matches=[], segments=[]), databases=[]))
    assert "no informative segment" in html
    assert "not compared" in html
    assert summarise(page_of(part(matches=[], segments=[]))).best_pfm is None


def test_summary_takes_the_strongest_segment_and_the_smallest_q():
    """Trap 21: the smallest q wins, wherever it stands."""
    better = replace(PUM2, target="BEST", q=1e-12)
    weak = replace(part("a", 3.0, 0.5), segments=[(0, 4), (4, 12)])
    summary = summarise(page_of(part("none", 4.0, 0.9, [], []), weak, part("b", 1.0, 0.97, [PUM2, better])))
    np.testing.assert_array_equal(summary.best_pfm, counts_of()[:, 4:12])
    assert (summary.best_start, summary.best_match.target, summary.parts) == (4, "BEST", 3)
    assert summary.best_ratio == pytest.approx(0.5)  # of the part whose segment is shown
    assert summary.one_pattern
    (row,) = rows_of(layer_index("m", 3, 18, [summary]))
    assert 'data-kinds="one match"' in row  # a part is one pattern, though not the one that is shown
    assert not summarise(page_of(weak)).one_pattern
    without = page_of(part("none", 4.0, 0.2, [], []), part("none", 3.0, 0.9, [], []))
    assert summarise(without).best_ratio == pytest.approx(0.9)
    html = layer_index("m", 3, 18, [replace(summary, neuron=10), summary])
    assert re.findall(r'href="conv3_neuron(\d+)\.html"', html) == ["2", "10"]
    assert [logo["neuron"] for logo in data_of(html)["logos"]] == [2, 10]
    assert data_of(html)["logos"][0]["first"] == 5


def test_a_large_page_stays_small():
    random = np.random.default_rng(1)
    parts = [
        PartRow(f"0-{i}", 9999, 2.0, 1.0, random.integers(0, 9999, (4, 72)), [(4, 12)], [PUM2] * 5) for i in range(300)
    ]
    assert len(neuron_page(page_of(*parts, receptive_field=72)).encode()) < 1.5e6


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


def opened(browser, html, folder):
    """Open a page and wait until its logos are drawn."""
    file = folder / "page.html"
    file.write_text(html, encoding="utf-8")
    browser.open(file)
    browser.until("document.querySelectorAll('canvas:not([data-drawn])').length", 0)
    return browser


def test_a_browser_draws_every_logo_without_an_error(browser, tmp_path):
    page = page_of(part(HOSTILE), replace(part("wide"), pfm=counts_of(width=288), segments=[]), model=BREAKOUT)
    opened(browser, neuron_page(page), tmp_path)
    assert browser.problems == []  # errors of scripts and breaches of the policy
    assert browser.run("document.querySelectorAll('canvas[data-drawn=\"1\"]').length") == 2
    assert browser.run("document.getElementById('shown').textContent") == "2 of 2 shown"


def test_a_browser_sorts_filters_and_colours(browser, tmp_path):
    page = page_of(part("a", 3.0, 0.5, []), part("b", 2.0, 0.99), part("c", 1.0, 0.7, [NEAREST]))
    opened(browser, neuron_page(page), tmp_path)
    note = browser.run("""(() => {
    const note = {}, rows = () => [...document.querySelectorAll("tbody tr")].filter((row) => !row.hidden);
    const names = () => rows().map((row) => row.cells[0].textContent).join("");
    const button = (label) => [...document.querySelectorAll("th button")].find((one) => one.textContent === label);
    note.start = names();
    button("Ratio").click(); note.ratio = names();
    button("Ratio").click(); note.again = names();
    button("Database matches").click(); note.matches = names();
    note.state = button("Database matches").parentElement.getAttribute("aria-sort");
    const search = document.getElementById("search"), choice = document.getElementById("choice");
    search.value = "pumilio ugua"; search.dispatchEvent(new Event("input")); note.searched = names();
    search.value = ""; choice.value = "mixed"; choice.dispatchEvent(new Event("change")); note.mixed = names();
    note.count = document.getElementById("shown").textContent;
    window.dispatchEvent(new Event("beforeprint"));
    note.drawn = document.querySelectorAll("canvas[data-drawn]").length;
    const canvas = document.querySelector("canvas"), pen = canvas.getContext("2d");
    const scale = canvas.width / parseFloat(canvas.style.width);
    const image = pen.getImageData(0, 0, canvas.width, canvas.height);
    const at = (column, y) => {
      const start = 4 * (Math.floor(y * scale) * image.width + Math.floor((34 + 18 * column + 2.6) * scale));
      return image.data.slice(start, start + 4).join();
    };
    note.uracil = at(4, 45);   // the left stem of the first U, column 5
    note.empty = at(0, 45);    // a column without information
    return note;
    })()""")
    assert browser.problems == []
    assert note == {
        "start": "abc", "ratio": "bca", "again": "acb", "matches": "bca", "state": "ascending", "searched": "b",
        "mixed": "ca", "count": "2 of 3 shown", "drawn": 3, "uracil": "213,94,0,255", "empty": "0,0,0,0",
    }  # fmt: skip
