"""The pages of a report in a browser: what they load, how lists work, what is drawn, and who can read it."""

import re

import pytest

from report.build import run
from tests.browser import chromium
from tests.report_case import HOSTILE, complete_case


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    case = complete_case(tmp_path_factory.mktemp("report"))
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
  for (const one of document.querySelectorAll("main *, header *, footer")) {
    if (one.closest("svg")) continue;
    if (![...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim())) continue;
    const [a, b] = [light(parse(getComputedStyle(one).color)), light(ground(one))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) weak.push(`${one.tagName}.${one.className}: ${one.textContent.slice(0, 30)}`);
  }
  return weak;
})()"""


def test_text_stands_out_from_its_ground(browser, site):
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
    browser.open(site / "neurons.html", "#search=neuron2&sort=effect+ascending+number")
    assert names(browser) == ["conv2 neuron 2"]
    assert browser.run("document.querySelector('[data-search]').value") == "neuron2"


def test_pairs_are_filtered_by_class_and_q_and_the_map_leads_to_them(browser, site):
    browser.open(site / "interactions.html")
    assert len(names(browser)) == 3
    choose(browser, "[data-most=q]", "0.05")
    assert len(names(browser)) == 1
    choose(browser, "[data-most=q]", "")
    choose(browser, "[data-filter=class]", "untested")
    assert names(browser) == ["UUUU, CCCC"]
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


def test_logos_are_drawn_and_saved(browser, site):
    browser.open(site / "neurons/conv2_neuron1.html")
    browser.run("document.querySelector('.leaf canvas').scrollIntoView()")
    browser.run("new Promise((done) => setTimeout(done, 300))")
    colours = browser.run("""(() => {
      const canvas = document.querySelector('.leaf#part-0 canvas');
      const scale = canvas.width / parseFloat(canvas.style.width);
      const image = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      const at = (column, y) => {
        const start = 4 * (Math.floor(y * scale) * image.width + Math.floor((34 + 18 * column + 2.6) * scale));
        return [...image.data.slice(start, start + 4)].join();
      };
      return [at(1, 45), at(0, 20)];
    })()""")
    assert colours == ["208,2,27,255", "238,241,246,255"]  # left stem of the first U of UGUAAAUA; ground of a segment
    svg = browser.run("combmotif.svg(document.querySelector('.leaf#part-0 canvas')).text()")
    assert svg.startswith("<svg xmlns=")
    assert svg.count('fill="#d0021b"') >= 2
    assert "</svg>" in svg
    png = browser.run(
        "combmotif.png(document.querySelector('.leaf#part-0 canvas'), 4).then((blob) => createImageBitmap(blob))"
        ".then((image) => [image.width, image.height])"
    )
    assert png == [4 * (34 + 9 * 18 + 8), 4 * (7 + 60 + 24)]
    assert browser.run("document.querySelectorAll('.save button').length") == 2 * 4  # three parts and the best segment


def test_the_keyboard_reaches_everything(browser, site):
    browser.open(site / "interactions.html")
    browser.press("Tab", 9)
    assert browser.run("document.activeElement.className") == "skip"
    browser.run("document.querySelector('th button[data-key=eps]').focus()")
    browser.press("Enter", 13)
    assert browser.run("document.activeElement.parentElement.getAttribute('aria-sort')") == "descending"
    browser.run("document.querySelector('.map a').focus()")
    browser.press("Enter", 13)
    browser.run("new Promise((done) => setTimeout(done, 300))")
    assert re.search(r"pairs/conv2_pair\d\.html$", browser.run("location.href"))


def test_print_hides_the_controls(browser, site):
    browser.open(site / "neurons.html")
    browser.send("Emulation.setEmulatedMedia", media="print")
    assert browser.run("getComputedStyle(document.querySelector('form.controls')).display") == "none"
    browser.send("Emulation.setEmulatedMedia", media="")
