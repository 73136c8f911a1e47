// The pages of a report: lists that are sorted, filtered and searched, and logos and text that are taken along.
//
// A list is an element with data-list. In it, elements with data-item are the rows or cards; their data-* hold what the
// controls use:
//   data-search           a search box: names found in data-text, or IUPAC words found in data-words or, without it,
//                         in the words that the item shows; which of the two a query is, is said beside the count
//   data-filter="KEY"     a choice: an item is shown whose data-KEY, words separated by blanks, has the chosen one
//   data-most="KEY"       a number: an item is shown whose data-KEY is not above it
//   data-least="KEY"      a number: an item is shown whose data-KEY, whatever its sign, is not below it
//   data-sort             a choice of "KEY first-direction kind"
//   th button[data-key]   sorts a table by data-KEY, with data-first (direction) and data-kind (number or name)
// The address keeps the controls: neurons.html#layer=5&search=PUM2 opens the page like that.
(() => {
  "use strict";

  const PNG_SCALE = 3;
  const BASES = {
    A: "A", C: "C", G: "G", U: "U", T: "U", R: "AG", Y: "CU", S: "CG", W: "AU", K: "GU", M: "AC",
    B: "CGU", D: "AGU", H: "ACU", V: "ACG", N: "ACGU",
  };

  // Whether one of the words holds a query: every letter of the word is one that the query's letter allows.
  function holdsWord(words, query) {
    const allowed = [...query].map((letter) => BASES[letter]);
    return words.some((word) => {
      for (let start = 0; start + query.length <= word.length; start++) {
        if (allowed.every((bases, i) => [...BASES[word[start + i]]].every((base) => bases.includes(base)))) return true;
      }
      return false;
    });
  }

  // The words of an item: those of its data-words, else those that it shows.
  function wordsOf(item) {
    if ("words" in item.dataset) return item.dataset.words.split(" ");
    return [...item.querySelectorAll(".words code")].map((code) => code.textContent);
  }

  // Which queries of a list are IUPAC words: at least half of the letters are bases, and no name of an item or of the
  // database holds it. combmotif.database (names.js) has the pieces of its names, and words that stand in names
  // (PUM_UGUANAUA), which are none. The others are names, all of them where no item has words.
  function queryReader(items) {
    const alike = (text) => text.toUpperCase().replaceAll("T", "U");
    const words = items.flatMap(wordsOf).filter(Boolean);
    if (!words.length) return { hasWords: false, isWord: () => false };
    const own = new Set([...combmotif.database.words, ...words].map(alike));
    const texts = items.flatMap((item) => (item.dataset.text || "").toUpperCase().match(/[A-Z0-9]+/g) || []);
    const names = [...new Set([...combmotif.database.names, ...texts.filter((piece) => !own.has(alike(piece)))])];
    const isWord = (token) => {
      const query = token.toUpperCase();
      const bases = query.replace(/[^ACGUT]/g, "").length;
      return /^[ACGUTRYSWKMBDHVN]{3,}$/.test(query) && 2 * bases >= query.length && !names.some((name) => name.includes(query));
    };
    return { hasWords: true, isWord };
  }

  function startList(list) {
    const items = [...list.querySelectorAll("[data-item]")];
    const home = items.length ? items[0].parentElement : null;
    const controls = [...list.querySelectorAll("[data-search], [data-filter], [data-most], [data-least], [data-sort]")];
    const heads = [...list.querySelectorAll("th button[data-key]")];
    const shown = list.querySelector("output");
    const keyOf = ({ dataset }) =>
      dataset.filter || dataset.most || dataset.least || ("search" in dataset ? "search" : "sort");
    const first = new Map(controls.map((control) => [control, control.value]));
    const { hasWords, isWord } = queryReader(items);
    const box = controls.find((control) => "search" in control.dataset);
    let tokens = []; // of the search box: text, and whether it is a word

    function readQuery() {
      const texts = box && box.value.trim() ? box.value.trim().split(/\s+/) : [];
      tokens = texts.map((text) => ({ text, word: isWord(text) }));
    }

    function isFound(item) {
      return tokens.every(({ text, word }) =>
        word ? holdsWord(wordsOf(item), text.toUpperCase()) : (item.dataset.text || "").includes(text.toLowerCase()));
    }

    function passes(item) {
      return controls.every((control) => {
        const value = control.value.trim();
        if (!value || "sort" in control.dataset) return true;
        if (control === box) return isFound(item);
        if (control.dataset.filter) return (item.dataset[control.dataset.filter] || "").split(" ").includes(value);
        const { most, least } = control.dataset;
        const own = item.dataset[most || least];
        if (own === "" || own === undefined) return false;
        return most ? Number(own) <= Number(value) : Math.abs(own) >= Number(value);
      });
    }

    function filter() {
      let count = 0;
      readQuery();
      for (const item of items) {
        item.hidden = !passes(item);
        count += !item.hidden;
      }
      // the cells of a map whose pair is not shown go pale
      const away = new Set(items.filter((item) => item.hidden).map((item) => item.dataset.page));
      for (const cell of list.querySelectorAll(".map a")) cell.classList.toggle("away", away.has(cell.getAttribute("href")));
      const read = hasWords ? tokens.map(({ text, word }) => `${text} as a ${word ? "word" : "name"}`).join(", ") : "";
      if (!shown) return;
      shown.textContent = `${count.toLocaleString("en")} of ${items.length.toLocaleString("en")} shown${read && `: ${read}`}`;
    }

    function sort(key, direction, kind) {
      const sign = direction === "ascending" ? 1 : -1;
      const value = (item) => item.dataset[key] || "";
      const order = kind === "name"
        ? (a, b) => a.localeCompare(b, "en", { numeric: true })
        : (a, b) => (kind === "size" ? Math.abs(a) - Math.abs(b) : Number(a) - Number(b));
      const sorted = [...items].sort((a, b) => {
        if (!value(a) || !value(b)) return Boolean(value(b)) - Boolean(value(a)); // what is missing stays last
        return sign * order(value(a), value(b));
      });
      home.append(...sorted);
      for (const button of heads) {
        button.parentElement.setAttribute("aria-sort", button.dataset.key === key ? direction : "none");
      }
    }

    function remember() {
      const state = new URLSearchParams();
      for (const control of controls) if (control.value !== first.get(control)) state.set(keyOf(control), control.value);
      history.replaceState(null, "", `#${state}`);
    }

    function changed(control) {
      if ("sort" in control.dataset) sort(...control.value.split(" "));
      else filter();
      remember();
    }

    function restore() {
      const state = new URLSearchParams(location.hash.slice(1));
      for (const control of controls) {
        const value = state.get(keyOf(control));
        if (value === null) continue;
        control.value = value;
        if ("sort" in control.dataset && control.value) sort(...control.value.split(" "));
      }
      filter();
    }

    for (const control of controls) control.addEventListener("input", () => changed(control));
    for (const button of heads) {
      button.addEventListener("click", () => {
        const now = button.parentElement.getAttribute("aria-sort");
        const start = button.dataset.first;
        const other = start === "ascending" ? "descending" : "ascending";
        sort(button.dataset.key, now === start ? other : start, button.dataset.kind);
      });
    }
    const form = list.querySelector("form");
    if (form) form.addEventListener("submit", (event) => event.preventDefault());
    restore();
    window.addEventListener("hashchange", restore);
  }

  // Two buttons that save a picture: make(kind) returns it, or a promise of it, as "SVG" or "PNG".
  function saveRow(what, name, make) {
    const row = document.createElement("p");
    row.className = "save";
    for (const kind of ["SVG", "PNG"]) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = kind;
      button.setAttribute("aria-label", `Save the ${what} ${name} as ${kind}`);
      button.addEventListener("click", async () => save(await make(kind), `${name}.${kind.toLowerCase()}`));
      row.append(button);
    }
    return row;
  }

  function save(blob, name) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  // Every logo that has a name gets two buttons that save it.
  function offerLogos() {
    for (const canvas of document.querySelectorAll("canvas[data-save]")) {
      const make = (kind) => (kind === "SVG" ? combmotif.svg(canvas) : combmotif.png(canvas, 4));
      canvas.parentElement.after(saveRow("logo", canvas.dataset.save, make));
    }
  }

  // Charts drawn as SVG in the page are saved with the colours they have on the page.
  function chartText(chart) {
    const copy = chart.cloneNode(true);
    const own = [chart, ...chart.querySelectorAll("*")];
    [copy, ...copy.querySelectorAll("*")].forEach((node, i) => {
      const style = getComputedStyle(own[i]);
      const keys = ["fill", "stroke", "stroke-width", "stroke-dasharray", "stroke-linecap", "opacity", "font-size", "font-family"];
      for (const key of keys) node.style.setProperty(key, style.getPropertyValue(key));
    });
    copy.setAttribute("xmlns", chart.namespaceURI);
    return copy.outerHTML;
  }

  async function chartFile(chart, kind) {
    const text = chartText(chart);
    if (kind === "SVG") return new Blob([text], { type: "image/svg+xml" });
    const image = new Image();
    image.src = `data:image/svg+xml,${encodeURIComponent(text)}`;
    await image.decode();
    const canvas = document.createElement("canvas");
    canvas.width = PNG_SCALE * chart.viewBox.baseVal.width;
    canvas.height = PNG_SCALE * chart.viewBox.baseVal.height;
    const context = canvas.getContext("2d");
    context.fillStyle = "#fff";
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.drawImage(image, 0, 0, canvas.width, canvas.height);
    return new Promise((done) => canvas.toBlob(done, "image/png"));
  }

  function offerCharts() {
    for (const figure of document.querySelectorAll("figure[data-chart]")) {
      const chart = figure.querySelector("svg");
      if (chart) figure.append(saveRow("chart", figure.dataset.chart, (kind) => chartFile(chart, kind)));
    }
  }

  // A message that is pointed at, or chosen in the table, is marked in every chart of the page.
  function markMessages() {
    const all = [...document.querySelectorAll("[data-message]")];
    const mark = (number) => {
      for (const one of all) one.classList.toggle("marked", one.dataset.message === number);
    };
    for (const one of all) {
      one.addEventListener("pointerenter", () => mark(one.dataset.message));
      one.addEventListener("focusin", () => mark(one.dataset.message));
      one.addEventListener("click", () => mark(one.dataset.message));
    }
  }

  // The segments of all parts of a neuron in MEME's minimal format, from the probabilities that the logos are drawn of.
  function memeText(neuron) {
    const u = combmotif.alphabet === "DNA" ? "T" : "U";
    const lines = ["MEME version 4", "", `ALPHABET= ACG${u}`, "", "Background letter frequencies"];
    lines.push(`A 0.25 C 0.25 G 0.25 ${u} 0.25`);
    for (const canvas of document.querySelectorAll(".leaf canvas")) {
      const { pfm, segments, path, sites, quality } = combmotif.logo(canvas);
      for (const [start, end] of segments) {
        lines.push("", `MOTIF ${neuron}_${path}_${start}-${end} ${quality}`, "");
        lines.push(`letter-probability matrix: alength= 4 w= ${end - start} nsites= ${sites} E= 0`);
        for (let i = start; i < end; i++) lines.push(pfm.map((row) => row[i].toFixed(4)).join("  "));
      }
    }
    return `${lines.join("\n")}\n`;
  }

  function offerMotifs() {
    for (const button of document.querySelectorAll("button[data-meme]")) {
      const name = button.dataset.meme;
      button.addEventListener("click", () => save(new Blob([memeText(name)], { type: "text/plain" }), `${name}.meme`));
    }
  }

  function offerCopies() {
    for (const button of document.querySelectorAll("button[data-copy]")) {
      button.addEventListener("click", async () => {
        const source = document.getElementById(button.dataset.copy);
        getSelection().selectAllChildren(source);
        document.execCommand("copy"); // works from disk, where the newer way is not allowed
        button.textContent = "Copied";
      });
    }
  }

  function openTarget() {
    const target = location.hash.startsWith("#part-") && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    for (let box = target.parentElement; box; box = box.parentElement) if (box.tagName === "DETAILS") box.open = true;
    target.scrollIntoView();
  }

  for (const button of document.querySelectorAll("button[data-open]")) {
    button.addEventListener("click", () => {
      for (const box of document.querySelectorAll(".tree details")) box.open = button.dataset.open === "all";
    });
  }
  document.querySelectorAll("[data-list]").forEach(startList);
  offerLogos();
  offerCharts();
  offerMotifs();
  offerCopies();
  markMessages();
  openTarget();
  window.addEventListener("hashchange", openTarget);
})();
