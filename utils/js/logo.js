// Sequence logos of count matrices, on canvas and as SVG. No dependencies, no network.
//
// The page holds a JSON script with the id combmotif-data, {"logos": [LOGO, ...]}, with "alphabet": "DNA" where U is to
// be drawn as T. A LOGO is
//   pfm       four rows (A, C, G, U) of counts; or instead of it
//   columns   a text: the most probable letter of every column, then three characters per column, which are the square
//             roots of the probabilities of the other letters, A before C, G and U, as places in LEVELS
//   segments  [start, end) pairs, counted from 0: shaded and underlined
//   first     the position number of the first column
// and where a logo goes a canvas with data-logo, its place in the list, and optionally data-bits-height, the height of
// the axis in pixels. The height of a letter is its probability times the information of the column, 2 + sum p log2 p,
// on a scale that always runs from 0 to 2 bits.
// A canvas is drawn when it comes near the window (data-drawn is set) and freed when it is far away; printing draws all.
// Other scripts find here: combmotif.svg(canvas), the logo of a canvas as an SVG file, combmotif.png(canvas, scale), a
// promise of it as a PNG file, combmotif.logo(canvas), the LOGO itself with its pfm, and combmotif.alphabet, RNA or DNA.
(() => {
  "use strict";

  const COLOURS = ["#009e73", "#0072b2", "#e69f00", "#d55e00"]; // A, C, G, U; after Okabe and Ito
  const LEFT = 34; // room for the axis of bits
  const TOP = 7;
  const BOTTOM = 24; // room for the underline and the position numbers
  const INK = "#444";
  const LEVELS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ!#$%()*+,-./:;=?@[]^_{|}~";
  const PRINT_PIXELS = 6e7; // of all logos of a page together
  const SHAPES = letterShapes();
  const LETTERS = SHAPES.map((shape) => new Path2D(shape));

  // Outlines in a unit square, y downwards, so that any letter fills any box exactly.
  function letterShapes() {
    const a = "M0 1L.37 0L.63 0L1 1L.78 1L.7 .76L.3 .76L.22 1ZM.5 .2L.36 .58L.64 .58Z";
    const c = openRing(0.72, 0.72);
    const g = `${openRing(0.72, 0.25)}M.56 .5h.42v.14h-.42ZM.79 .5h.19v.47h-.19Z`;
    const u = "M0 0L.21 0L.21 .62C.21 .92 .79 .92 .79 .62L.79 0L1 0L1 .63C1 1.123 0 1.123 0 .63Z";
    return [a, c, g, u];
  }

  function drawThymine() {
    SHAPES[3] = "M0 0L1 0L1 .2L.61 .2L.61 1L.39 1L.39 .2L0 .2Z";
    LETTERS[3] = new Path2D(SHAPES[3]);
  }

  // A ring that is open at the right between the two angles (radians above and below the horizontal).
  function openRing(above, below) {
    const at = (rx, ry, angle) => `${(0.56 + rx * Math.cos(angle)).toFixed(4)} ${(0.5 + ry * Math.sin(angle)).toFixed(4)}`;
    return (
      `M${at(0.56, 0.5, below)}A.56 .5 0 1 1 ${at(0.56, 0.5, -above)}` +
      `L${at(0.35, 0.35, -above)}A.35 .35 0 1 0 ${at(0.35, 0.35, below)}Z`
    );
  }

  // Two pens with the same three strokes: one on a canvas, one that writes SVG.
  function canvasPen(context, scale) {
    context.textBaseline = "middle";
    return {
      rect(x, y, wide, tall, colour) {
        context.fillStyle = colour;
        context.fillRect(x, y, wide, tall);
      },
      letter(base, x, y, wide, tall) {
        context.setTransform(scale * wide, 0, 0, scale * tall, scale * x, scale * y);
        context.fillStyle = COLOURS[base];
        context.fill(LETTERS[base]);
        context.setTransform(scale, 0, 0, scale, 0, 0);
      },
      text(words, x, y, align, turned) {
        context.font = "10px sans-serif";
        context.fillStyle = INK;
        context.textAlign = align;
        context.save();
        context.translate(x, y);
        if (turned) context.rotate(-Math.PI / 2);
        context.fillText(words, 0, 0);
        context.restore();
      },
    };
  }

  function svgPen(parts) {
    const short = (value) => String(Number(value.toFixed(4)));
    return {
      rect(x, y, wide, tall, colour) {
        const box = `x="${short(x)}" y="${short(y)}" width="${short(wide)}" height="${short(tall)}"`;
        parts.push(`<rect ${box} fill="${colour}"/>`);
      },
      letter(base, x, y, wide, tall) {
        const place = `matrix(${[wide, 0, 0, tall, x, y].map(short).join(" ")})`;
        parts.push(`<path transform="${place}" fill="${COLOURS[base]}" d="${SHAPES[base]}"/>`);
      },
      text(words, x, y, align, turned) {
        const anchor = { left: "start", center: "middle", right: "end" }[align];
        const turn = turned ? ` transform="rotate(-90 ${short(x)} ${short(y)})"` : "";
        const place = `x="${short(x)}" y="${short(y)}" dy=".35em" text-anchor="${anchor}"${turn}`;
        parts.push(`<text ${place} font-family="sans-serif" font-size="10" fill="${INK}">${words}</text>`);
      },
    };
  }

  // The four rows of a logo, whichever way it is written.
  function rowsOf(logo) {
    if (!logo.pfm) {
      const width = logo.columns.length / 4;
      const largest = [...logo.columns.slice(0, width)].map((letter) => "ACGU".indexOf(letter));
      const others = [...logo.columns.slice(width)].map((level) => (LEVELS.indexOf(level) / (LEVELS.length - 1)) ** 2);
      logo.pfm = [0, 1, 2, 3].map((base) =>
        largest.map((most, i) => {
          const three = others.slice(3 * i, 3 * i + 3);
          return base === most ? 1 - three[0] - three[1] - three[2] : three[base - (base > most)];
        }),
      );
    }
    return logo.pfm;
  }

  function columnWidth(columns) {
    return columns <= 20 ? 18 : columns <= 40 ? 14 : 7;
  }

  // The letters of a column from the smallest to the largest: [base, height in bits].
  function letterHeights(pfm, column) {
    const counts = pfm.map((row) => row[column]);
    const total = counts.reduce((sum, count) => sum + count, 0);
    if (total <= 0) return [];
    const probabilities = counts.map((count) => count / total);
    const bits = probabilities.reduce((sum, p) => sum + (p > 0 ? p * Math.log2(p) : 0), 2);
    return probabilities.map((p, base) => [base, p * bits]).sort((one, other) => one[1] - other[1]);
  }

  function sizeOf(canvas, logo) {
    const columns = rowsOf(logo)[0].length;
    const bits = Number(canvas.dataset.bitsHeight) || 60; // height of 2 bits
    const step = columnWidth(columns);
    return { columns, bits, step, width: LEFT + columns * step + 8, height: TOP + bits + BOTTOM };
  }

  function draw(canvas, logo, scale) {
    const size = sizeOf(canvas, logo);
    canvas.width = Math.round(size.width * scale);
    canvas.height = Math.round(size.height * scale);
    const context = canvas.getContext("2d");
    context.scale(scale, scale);
    drawWith(canvasPen(context, scale), logo, size, 0.3 / scale);
    canvas.dataset.drawn = "1";
  }

  function drawWith(pen, logo, { columns, bits, step }, least) {
    drawFrame(pen, logo, columns, bits, step);
    for (let column = 0; column < columns; column++) {
      let base = TOP + bits;
      for (const [letter, heightInBits] of letterHeights(logo.pfm, column)) {
        const tall = (heightInBits * bits) / 2;
        if (tall < least) continue;
        base -= tall;
        pen.letter(letter, LEFT + column * step + 0.04 * step, base, 0.92 * step, tall);
      }
    }
  }

  function drawFrame(pen, logo, columns, bits, step) {
    const foot = TOP + bits;
    for (const [start, end] of logo.segments) {
      pen.rect(LEFT + start * step, TOP, (end - start) * step, bits, "#eef1f6");
      pen.rect(LEFT + start * step + 1, foot + 2, (end - start) * step - 2, 3, "#333");
    }
    for (const level of [0, 1]) pen.rect(LEFT, TOP + (level * bits) / 2, columns * step, 1, "#d5d8de");
    pen.rect(LEFT, foot, columns * step, 1, INK);
    pen.rect(LEFT - 1, TOP, 1, bits + 1, INK);
    for (const level of [0, 1, 2]) {
      const y = foot - (level * bits) / 2;
      pen.rect(LEFT - 4, y, 4, 1, INK);
      pen.text(String(level), LEFT - 7, y, "right", false);
    }
    pen.text("bits", 7, TOP + bits / 2, "center", true);
    const every = columns <= 20 && logo.first + columns <= 100 ? 1 : columns <= 80 ? 5 : 10;
    for (let column = 0; column < columns; column++) {
      const position = logo.first + column;
      if (position % every !== 0 && column !== 0) continue;
      if (column !== 0 && column * step < 20 && every > 1) continue; // would touch the first number
      const x = LEFT + (column + 0.5) * step;
      if (every > 1) pen.rect(x - 0.5, foot + 6, 1, 3, INK);
      pen.text(String(position), x, foot + 15, "center", false);
    }
  }

  function svgOf(canvas, logo) {
    const size = sizeOf(canvas, logo);
    const parts = [];
    drawWith(svgPen(parts), logo, size, 0.01);
    const { width, height } = size;
    const head = `xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}"`;
    return new Blob([`<svg ${head}>${parts.join("")}</svg>\n`], { type: "image/svg+xml" });
  }

  function pngOf(canvas, logo, scale) {
    const other = document.createElement("canvas");
    other.dataset.bitsHeight = canvas.dataset.bitsHeight || "";
    draw(other, logo, scale);
    return new Promise((done) => other.toBlob(done, "image/png"));
  }

  function free(canvas) {
    canvas.width = canvas.height = 1; // the size on the page is set by its style
    delete canvas.dataset.drawn;
  }

  function start() {
    const source = document.getElementById("combmotif-data");
    if (!source) return;
    const { logos, alphabet } = JSON.parse(source.textContent);
    if (alphabet === "DNA") drawThymine();
    const canvases = [...document.querySelectorAll("canvas[data-logo]")];
    const logoOf = (canvas) => logos[Number(canvas.dataset.logo)];
    globalThis.combmotif = {
      svg: (canvas) => svgOf(canvas, logoOf(canvas)),
      png: (canvas, scale) => pngOf(canvas, logoOf(canvas), scale),
      alphabet: alphabet || "RNA",
      logo: (canvas) => ({ ...logoOf(canvas), pfm: rowsOf(logoOf(canvas)) }),
    };
    const screenScale = () => Math.max(1, Math.min(3, window.devicePixelRatio || 1));
    let area = 0;
    for (const canvas of canvases) {
      const { width, height } = sizeOf(canvas, logoOf(canvas));
      canvas.style.width = `${width}px`;
      canvas.style.height = `${height}px`;
      canvas.style.aspectRatio = `${width} / ${height}`; // where a style sheet makes it narrower
      area += width * height;
    }
    const observer = new IntersectionObserver(
      (entries) => {
        for (const { target, isIntersecting } of entries) {
          if (!isIntersecting) free(target);
          else if (!target.dataset.drawn) draw(target, logoOf(target), screenScale());
        }
        for (const { target } of entries) {
          const box = target.parentElement; // reachable by keyboard where it scrolls
          if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
        }
      },
      { rootMargin: "800px 0px" },
    );
    const refresh = () => {
      observer.disconnect();
      canvases.forEach(free);
      const inView = canvases.filter((canvas) => {
        const { top, bottom } = canvas.getBoundingClientRect();
        return bottom > 0 && top < window.innerHeight;
      });
      inView.forEach((canvas) => draw(canvas, logoOf(canvas), screenScale()));
      canvases.forEach((canvas) => observer.observe(canvas));
    };
    refresh();
    let scale = screenScale();
    window.addEventListener("resize", () => {
      if (scale === screenScale()) return;
      scale = screenScale(); // zoomed, or moved to another screen
      refresh();
    });
    window.addEventListener("beforeprint", () => {
      observer.disconnect();
      const fine = Math.max(1, Math.min(2.5, Math.sqrt(PRINT_PIXELS / Math.max(area, 1))));
      canvases.forEach((canvas) => draw(canvas, logoOf(canvas), fine));
    });
    window.addEventListener("afterprint", refresh);
  }

  start();
})();
