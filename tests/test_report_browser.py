"""The pages of a report in a browser: what they load, how lists work, what is drawn, and who can read it."""

import base64
import json
import shutil
from xml.etree import ElementTree

import numpy as np
import pytest

from report.build import run
from tests.browser import chromium
from tests.report_case import HOSTILE, complete_case
from utils.motif import read_meme


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    return complete_case(tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def site(case):
    return run(str(case.config), str(case.root / "site"), root=case.root).parent


def pages_of(site):
    return sorted(site.rglob("*.html"))


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


def names(browser, selector="[data-item]"):
    shown = f"[...document.querySelectorAll('{selector}')].filter((one) => !one.hidden)"
    return browser.run(f"{shown}.map((one) => one.querySelector('a').textContent)")


def choose(browser, selector, value):
    browser.run(
        f"(() => {{ const one = document.querySelector('{selector}'); one.value = '{value}';"
        f" one.dispatchEvent(new Event('input', {{bubbles: true}})); }})()"
    )


def test_the_browser_tells_of_what_must_not_be(browser, tmp_path):
    """What the test after this one relies on."""
    page = tmp_path / "page.html"
    for body, said in (
        ("<img src=x onerror=alert(1)>", "a dialog: 1"),
        ("<script>console.error('wrong')</script>", "wrong"),
        ("<script>nothing.at.all</script>", "ReferenceError"),
    ):
        page.write_text(f"<!DOCTYPE html><title>page</title>{body}", encoding="utf-8")
        browser.open(page)
        assert said in " ".join(browser.problems), body
    for body in ('<img src="http://127.0.0.1:9/x.png">', '<link rel="stylesheet" href="http://127.0.0.1:9/x.css">'):
        page.write_text(f"<!DOCTYPE html><title>page</title>{body}", encoding="utf-8")
        browser.open(page)
        assert any(one.startswith("http://127.0.0.1:9/x") for one in browser.requests), body


def test_every_page_opens_without_an_error_or_a_request_that_leaves_the_disk(browser, site):
    for page in pages_of(site):
        browser.open(page)
        assert browser.problems == [], page
        assert browser.requests
        assert all(one.startswith(("file://", "data:")) for one in browser.requests), browser.requests
        assert browser.run("document.querySelectorAll('img, [onerror]').length") == 0


@pytest.mark.parametrize("width", [390, 1300])
def test_no_page_is_wider_than_the_window(browser, site, width):
    browser.resize(width, 1600)
    for page in pages_of(site):
        browser.open(page)
        assert browser.run("document.documentElement.scrollWidth") <= width, page
    browser.resize(1300, 1600)


def test_every_column_says_what_it_means(browser, site):
    for page in pages_of(site):
        browser.open(page)
        heads = browser.run("[...document.querySelectorAll('th')].map((one) => [one.textContent, one.title])")
        assert not [name for name, sentence in heads if not sentence.endswith(".")], page
        assert not [name for name, _ in heads if not name], page


def test_a_page_loads_itself_alone(browser, site):
    browser.open(site / "index.html")
    loaded = {one.rpartition("/")[2] for one in browser.requests if one.startswith("file:")}
    assert loaded == {"index.html", "report.css", "logo.js", "names.js", "report.js"}


def test_logos_are_drawn_where_they_are_looked_at(browser, site):
    browser.resize(1300, 200)
    browser.open(site / "neurons/conv2_neuron1.html")
    drawn = "[...document.querySelectorAll('canvas')].map((one) => Boolean(one.dataset.drawn))"
    assert browser.run(drawn)[-1] is False
    browser.run("document.querySelectorAll('canvas')[3].scrollIntoView()")
    browser.until(f"{drawn}.at(-1)")
    browser.resize(1300, 1600)


CONTRAST = """(() => {
  const parse = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = (rgb) => rgb.slice(0, 3).map((c) => c / 255)
    .map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (one) => {
    for (let box = one; box; box = box.parentElement) {
      const rgb = parse(getComputedStyle(box).backgroundColor);
      if (rgb.length === 3 || rgb[3] === 1) return rgb;
    }
    return [255, 255, 255];
  };
  const weak = [];
  const under = (text) => { // in a chart: the box that the text stands on, else the page
    const box = text.previousElementSibling;
    if (!box || box.tagName !== "rect" || !text.matches(".sign, .icicle text")) return [255, 255, 255];
    const fill = getComputedStyle(box).fill;
    return fill.startsWith("url") ? [217, 146, 90] : parse(fill); // the darker stripes of a hatched box
  };
  for (const one of document.querySelectorAll("svg text")) {
    if (!one.textContent.trim()) continue;
    const [a, b] = [light(parse(getComputedStyle(one).fill)), light(under(one))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) weak.push(`${one.outerHTML.slice(0, 60)}`);
  }
  for (const one of document.querySelectorAll("main *, header *, footer")) {
    if (one.closest("svg")) continue;
    if (![...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim())) continue;
    const [a, b] = [light(parse(getComputedStyle(one).color)), light(ground(one))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) weak.push(`${one.tagName}.${one.className}: ${one.textContent.slice(0, 30)}`);
  }
  return weak;
})()"""


def test_text_stands_out_from_its_ground(browser, site):
    browser.open(site / "help.html")
    browser.run("document.querySelector('dd').style.color = '#888'")
    assert len(browser.run(CONTRAST)) == 1  # 3.5 : 1
    for page in pages_of(site):
        browser.open(page)
        assert browser.run(CONTRAST) == [], page


def test_neurons_are_sorted_filtered_and_searched(browser, site):
    browser.open(site / "neurons.html")
    everyone = [f"conv2 neuron {i}" for i in (1, 2, 3, 4)]
    assert names(browser) == everyone
    choose(browser, "[data-sort]", "effect ascending number")
    assert names(browser) == [everyone[i] for i in (1, 2, 0, 3)]  # the missing one last
    choose(browser, "[data-sort]", "effect descending size")
    assert names(browser) == [everyone[i] for i in (1, 0, 2, 3)]
    choose(browser, "[data-filter=contribution]", "negative")
    assert names(browser) == ["conv2 neuron 2"]
    assert browser.run("document.querySelector('output').textContent") == "1 of 4 shown"
    choose(browser, "[data-filter=contribution]", "")
    for query, found in (("UGUAAAUA", 3), ("UGNAAA", 3), ("tgtaaa", 3), ("UGUCCC", 0), ("onerror", 3), ("m0", 3),
                         ("neuron3", 1), ("UGUAAA neuron3", 1)):  # fmt: skip
        choose(browser, "[data-search]", query)
        assert len(names(browser)) == found, query
    assert browser.run("location.hash") == "#search=UGUAAA+neuron3&sort=effect+descending+size"
    assert browser.problems == []
    for control, value, found in (
        ("[data-least=effect]", "0.3", [everyone[0], everyone[1]]), ("[data-least=effect]", "0.5", [everyone[1]]),
        ("[data-most=match]", "0.001", everyone[:3]), ("[data-most=match]", "0.00001", []),
    ):  # fmt: skip
        browser.open(site / "neurons.html")
        choose(browser, control, value)
        assert names(browser) == found, (control, value)
    quality = browser.run("[...document.querySelectorAll('[data-item]')].map((one) => Number(one.dataset.ratio))")
    browser.open(site / "neurons.html")
    choose(browser, "[data-least=ratio]", str(sorted(quality)[-1]))
    assert len(names(browser)) == 1
    browser.open(site / "neurons.html", "#search=neuron2&sort=effect+ascending+number")
    assert names(browser) == ["conv2 neuron 2"]
    assert browser.run("document.querySelector('[data-search]').value") == "neuron2"


def test_a_name_made_of_iupac_letters_is_no_word(browser, site, tmp_path):
    """HuR, read as H, U, R, stood in half of all segments."""
    copied = shutil.copytree(site, tmp_path / "site")
    names = {"names": ["MATR3", "START"], "words": ["UGUAAAUA"]}  # of a database with PUM_UGUAAAUA
    (copied / "assets" / "names.js").write_text(f"combmotif.database = {json.dumps(names)};")
    browser.open(copied / "neurons.html")
    output = "document.querySelector('output').textContent"
    for query, said in (
        ("HuR", "0 of 4 shown: HuR as a name"), ("RBM", "0 of 4 shown: RBM as a name"),
        ("KHDRBS", "0 of 4 shown: KHDRBS as a name"), ("NAB", "0 of 4 shown: NAB as a name"),
        ("MATR", "0 of 4 shown: MATR as a name"), ("tart", "0 of 4 shown: tart as a name"),
        ("UGUANAUA", "3 of 4 shown: UGUANAUA as a word"), ("GURA", "3 of 4 shown: GURA as a word"),
        ("WWAUUA", "3 of 4 shown: WWAUUA as a word"),
        ("UGUAAA neuron3", "1 of 4 shown: UGUAAA as a word, neuron3 as a name"),
        ("", "4 of 4 shown"),
    ):  # fmt: skip
        choose(browser, "[data-search]", query)
        assert browser.run(output) == said
    browser.open(copied / "interactions.html")
    for query, said in (
        ("UGUA", "1 of 3 shown: UGUA as a word"), ("NGNA", "1 of 3 shown: NGNA as a word"),
        ("antag", "0 of 3 shown: antag as a word"), ("addi", "1 of 3 shown: addi as a name"),
    ):  # fmt: skip
        choose(browser, "[data-search]", query)
        assert browser.run(output) == said
    browser.open(copied / "pairs" / "conv2_pair1.html")
    choose(browser, "[data-search]", "tra")
    assert browser.run(output) == "12 of 12 shown"  # messages: train0 and so on, which have no words
    assert browser.problems == []


def test_pairs_are_filtered_by_class_and_q_and_the_map_leads_to_them(browser, site):
    browser.open(site / "interactions.html")
    rows = "[...document.querySelectorAll('[data-item]')].filter((one) => !one.hidden).length"
    assert browser.run(rows) == 3
    pale = "[...document.querySelectorAll('.map a')].map((one) => getComputedStyle(one).opacity)"
    choose(browser, "[data-most=q]", "0.05")
    assert browser.run(rows) == 1
    assert browser.run(pale) == ["1", "1"]  # two cells of the pair
    choose(browser, "[data-filter=class]", "additive")
    assert browser.run(pale) == ["0.2", "0.2"]
    choose(browser, "[data-filter=class]", "")
    choose(browser, "[data-most=q]", "")
    shown = "[...document.querySelectorAll('[data-item]:not([hidden]) td:first-child')].map((one) => one.innerText)"
    choose(browser, "[data-filter=class]", "untested")
    assert [text.split("\n")[0] for text in browser.run(shown)] == ["UUUU, CCCC"]
    assert "too few" in browser.run("document.querySelector('[data-item]:not([hidden])').innerText")
    choose(browser, "[data-filter=class]", "tested")
    assert len(browser.run(shown)) == 2
    choose(browser, "[data-filter=class]", "")
    browser.run("document.querySelector('th button[data-key=q]').click()")
    assert (
        browser.run("document.querySelector('th button[data-key=q]').parentElement.getAttribute('aria-sort')")
        == "ascending"
    )
    order = browser.run("[...document.querySelectorAll('[data-item]')].map((one) => one.dataset.q)")
    assert order == ["0.01", "0.4", ""]
    cell = browser.run("document.querySelector('.map a').getAttribute('href')")
    assert (site / cell).is_file()
    browser.open(site / cell)
    assert browser.run("document.querySelectorAll('svg.boxes').length") == 3
    browser.run("document.querySelector('tr[data-message=\"3\"]').dispatchEvent(new Event('pointerenter'))")
    assert browser.run("document.querySelectorAll('.marked').length") == 4  # its row, and a line in each chart
    assert browser.run("document.querySelectorAll('.marked[data-message=\"3\"]').length") == 4


def test_a_motif_leads_to_its_neurons_and_their_parts(browser, site):
    browser.open(site / "motifs.html")
    assert browser.run("document.querySelector('tbody b').textContent") in ("M0", HOSTILE)
    chips = browser.run("[...document.querySelectorAll('tbody tr:first-child .chip')].map((one) => one.className)")
    assert sorted(chips) == ["chip ", "chip negative", "chip positive"]
    link = browser.run("document.querySelector('.chip a').href")
    page, _, anchor = link.partition("#")
    browser.open(site / "neurons" / page.rpartition("/")[2], f"#{anchor}")
    assert browser.run("document.querySelector('.leaf:target').id") == anchor


LETTERS = """(part) => {
  const canvas = document.querySelector(`#part-${part} canvas`);
  const scale = canvas.width / parseFloat(canvas.style.width);
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const colours = { "0,158,115": "A", "0,114,178": "C", "230,159,0": "G", "213,94,0": "U" };
  return Array.from({ length: 9 }, (_, column) => { // of each column the letter with most pixels, and where it begins
    const counts = { A: 0, C: 0, G: 0, U: 0 };
    let top = Infinity;
    for (let y = Math.floor(7 * scale); y < 67 * scale; y++) {
      for (let x = Math.floor((34 + 18 * column) * scale); x < (34 + 18 * (column + 1)) * scale; x++) {
        const place = 4 * (y * canvas.width + x);
        const letter = colours[[data[place], data[place + 1], data[place + 2]].join()];
        if (letter) { counts[letter] += 1 / scale ** 2; top = Math.min(top, y / scale); }
      }
    }
    const most = Object.keys(counts).reduce((a, b) => (counts[a] >= counts[b] ? a : b));
    return [most, counts[most], top];
  });
}"""


def test_logos_have_their_letters_at_their_places(browser, site):
    browser.open(site / "neurons/conv2_neuron1.html")
    for part, word in (("0", "UGUAAAUA"), ("1", "AUUUAUUA"), ("2", "GGACUGGA")):
        browser.run(f"document.querySelector('#part-{part} canvas').scrollIntoView()")
        browser.until(f"document.querySelector('#part-{part} canvas').dataset.drawn", "1")
        found = browser.run(f"({LETTERS})('{part}')")
        assert "".join(letter for letter, _, _ in found[1:]) == word  # as tests.report_case wrote it
        assert all(pixels > 150 for _, pixels, _ in found[1:])  # of 18 x 60
        assert found[0][1] < 20  # a column without information
    p = np.array([0.97, 0.01, 0.01, 0.01])
    height = 60 * (2 + (p * np.log2(p)).sum()) / 2
    assert found[3][2] == pytest.approx(67 - height, abs=2)  # the stack of letters is as high as the information


def saved(browser, selector):
    """Click on a button and return the name, type and content (of a text) or size and colours (of a picture)."""
    browser.run("""(() => {
      window.kept = null;
      URL.createObjectURL = (blob) => { window.keptBlob = blob; return "data:,"; };
      HTMLAnchorElement.prototype.click = function () { window.kept = this.download; };
    })()""")
    browser.run(f"document.querySelector({json.dumps(selector)}).click()")
    return browser.run("""(async () => {
      while (!window.kept) await new Promise((done) => setTimeout(done, 20));
      if (keptBlob.type !== "image/png") return [kept, keptBlob.type, await keptBlob.text()];
      const image = await createImageBitmap(keptBlob);
      const canvas = new OffscreenCanvas(image.width, image.height);
      const context = canvas.getContext("2d");
      context.drawImage(image, 0, 0);
      const { data } = context.getImageData(0, 0, image.width, image.height);
      const colours = new Set();
      for (let i = 0; i < data.length; i += 4) colours.add([...data.slice(i, i + 4)].join());
      return [kept, keptBlob.type, [image.width, image.height, [...colours]]];
    })()""")


def test_logos_are_saved(browser, site):
    browser.open(site / "neurons/conv2_neuron1.html")
    name, kind, text = saved(browser, "#part-0 .save button:first-child")
    assert (name, kind) == ("conv2_neuron1_0.svg", "image/svg+xml")
    letters = [one.get("fill") for one in ElementTree.fromstring(text).iter() if one.tag.endswith("path")]
    assert letters.count("#d55e00") >= 3
    assert letters.count("#009e73") >= 4
    name, kind, (width, height, colours) = saved(browser, "#part-0 .save button:last-child")
    assert (name, kind) == ("conv2_neuron1_0.png", "image/png")
    assert (width, height) == (4 * (34 + 9 * 18 + 8), 4 * (7 + 60 + 24))
    assert {"213,94,0,255", "0,158,115,255"} <= set(colours)
    count = browser.run("document.querySelectorAll('canvas').length")
    assert browser.run("document.querySelectorAll('.scroll + .save button').length") == 2 * count == 8
    assert browser.problems == []


def test_every_chart_is_saved_as_it_looks(browser, site):
    kinds = {
        "index.html": 1, "neurons/conv2_neuron1.html": 5, "interactions.html": 1,
        browser_pair(browser, site): 3,
    }  # fmt: skip
    for page, count in kinds.items():
        browser.open(site / page)
        assert browser.run("document.querySelectorAll('svg.chart').length") == count
        assert browser.run("document.querySelectorAll('figure > .save').length") == count
    browser.open(site / "neurons/conv2_neuron1.html")
    chart = 'figure[data-chart="conv2_neuron1_positions"]'
    name, _, text = saved(browser, f"{chart} .save button:first-child")
    assert name == "conv2_neuron1_positions.svg"
    bars = [one.get("style") for one in ElementTree.fromstring(text).iter() if one.tag.endswith("rect")]
    assert len(bars) == 20
    assert all("fill: rgb(63, 114, 175)" in style for style in bars)  # without the style sheet of the page
    name, _, (width, height, colours) = saved(browser, f"{chart} .save button:last-child")
    box = browser.run(f"['width', 'height'].map((one) => document.querySelector('{chart} svg').viewBox.baseVal[one])")
    assert (name, width, height) == ("conv2_neuron1_positions.png", *(3 * side for side in box))
    assert {"63,114,175,255", "255,255,255,255"} <= set(colours)
    assert browser.problems == []


def browser_pair(browser, site):
    """Return the page of the pair that was measured best."""
    browser.open(site / "interactions.html")
    return browser.run("document.querySelector('tbody a').getAttribute('href')")


def test_motifs_are_saved_as_they_were_found(browser, site, case, tmp_path):
    browser.open(site / "neurons/conv2_neuron1.html")
    name, _, text = saved(browser, "button[data-meme]")
    assert name == "conv2_neuron1.meme"
    (tmp_path / name).write_text(text, encoding="utf-8")
    own = {motif.name: motif for motif in read_meme(tmp_path / name)}
    found = {motif.name: motif for motif in read_meme(case.root / "motif_discovery/motifs/demo/conv2_neuron1.meme")}
    assert own.keys() == found.keys()
    assert len(own) >= 3
    for key, motif in found.items():
        assert (own[key].alt, own[key].nsites) == (motif.alt, motif.nsites)
        np.testing.assert_allclose(own[key].ppm, motif.ppm, atol=0.01)


def test_links_lead_where_they_say(browser, site):
    browser.open(site / "index.html")
    browser.click("header nav a:nth-child(2)")
    assert browser.run("document.querySelector('h1').firstChild.textContent").strip() == "Neurons"
    browser.click(".card:nth-child(2) h3 a")
    assert browser.run("document.querySelector('h1').firstChild.textContent").strip() == "conv2 neuron 2"
    browser.click("a[rel=next]")
    assert browser.run("document.querySelector('h1').firstChild.textContent").strip() == "conv2 neuron 3"
    browser.click("nav.steps a")
    assert browser.run("document.querySelector('[data-filter=layer]').value") == "2"
    browser.click("header nav a:nth-child(4)")
    browser.click(".map a")
    assert browser.run("document.querySelector('h1').firstChild.textContent").strip() == f"{HOSTILE}, GGAC"
    browser.click("nav.steps a:nth-child(2)")
    assert browser.run("document.querySelector('h1').firstChild.textContent").strip() == "conv2 neuron 1"
    assert browser.problems == []


def test_the_keyboard_reaches_everything(browser, site):
    for page in ("neurons.html", "interactions.html", "neurons/conv2_neuron1.html"):
        browser.open(site / page)
        wanted = browser.run("""(() => {
          const all = [...document.querySelectorAll("a[href]:not([tabindex]), button, input, select, summary")];
          all.filter((one) => one.checkVisibility()).forEach((one) => { one.dataset.wanted = "1"; });
          return document.querySelectorAll("[data-wanted]").length;
        })()""")
        browser.press("Tab", 9)
        assert browser.run("document.activeElement.className") == "skip"
        for _ in range(wanted + 20):
            reached = browser.run("""(() => {
              const one = document.activeElement;
              delete one.dataset.wanted;
              return one === document.body || getComputedStyle(one).outlineStyle !== "none";
            })()""")
            assert reached, browser.run("document.activeElement.outerHTML")  # who uses the keyboard sees where they are
            browser.press("Tab", 9)
        assert browser.run("[...document.querySelectorAll('[data-wanted]')].map((one) => one.outerHTML)") == []


def test_the_keyboard_works_what_it_reaches(browser, site):
    browser.open(site / "interactions.html")
    browser.run("document.querySelector('th button[data-key=eps]').focus()")
    browser.press("Enter", 13)
    assert browser.run("document.activeElement.parentElement.getAttribute('aria-sort')") == "descending"
    browser.run("document.querySelector('summary').focus()")
    browser.press("Enter", 13)
    assert browser.run("document.querySelector('details.legend').open")
    browser.run("document.querySelector('.map a').focus()")
    browser.press("Enter", 13)
    browser.until(r"/pairs\/conv2_pair\d\.html$/.test(location.href)")


def test_printing_gives_all_of_a_page_and_no_controls(browser, site):
    for page in ("neurons.html", "neurons/conv2_neuron1.html", "motifs.html", "interactions.html", "files.html"):
        browser.resize(1300, 200)
        browser.open(site / page)
        pdf = base64.b64decode(browser.send("Page.printToPDF", preferCSSPageSize=True)["data"])
        assert pdf.startswith(b"%PDF")
        browser.send("Emulation.setEmulatedMedia", media="print")
        browser.resize(703, 1000)  # A4 without its margins
        for control in ("form.controls", ".save", "header nav"):
            hidden = f"[...document.querySelectorAll('{control}')].every((one) => !one.checkVisibility())"
            assert browser.run(hidden), (page, control)
        assert browser.run("document.documentElement.scrollWidth") <= 703, page
        browser.send("Emulation.setEmulatedMedia", media="")
    browser.resize(1300, 1600)
