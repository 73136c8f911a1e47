// Sequence logos of count matrices on canvas. No dependencies, no network.
//
// The page holds a JSON script with the id combmotif-data, {"logos": [LOGO, ...]}, where a LOGO is
//   pfm       four rows (A, C, G, U) of counts
//   segments  [start, end) pairs, counted from 0: shaded and underlined
//   first     the position number of the first column
// and where a logo goes a canvas with data-logo, its place in the list, and optionally data-bits-height, the height of
// the axis in pixels. The height of a letter is its probability times the information of the column, 2 + sum p log2 p,
// on a scale that always runs from 0 to 2 bits.
// A canvas is drawn when it comes near the window (data-drawn is set) and freed when it is far away; printing draws all.
(() => {
  "use strict";

  const COLOURS = ["#008f00", "#1f4fd8", "#e08a00", "#d0021b"]; // A, C, G, U
  const LEFT = 34; // room for the axis of bits
  const TOP = 7;
  const BOTTOM = 24; // room for the underline and the position numbers
  const INK = "#444";
  const PRINT_PIXELS = 6e7; // of all logos of a page together
  const LETTERS = letterShapes();

  // Outlines in a unit square, y downwards, so that any letter fills any box exactly.
  function letterShapes() {
    const a = new Path2D("M0 1 L.37 0 L.63 0 L1 1 L.78 1 L.7 .76 L.3 .76 L.22 1 Z M.5 .2 L.36 .58 L.64 .58 Z");
    const c = openRing(0.72, 0.72);
    const g = openRing(0.72, 0.25);
    g.rect(0.56, 0.5, 0.42, 0.14);
    g.rect(0.79, 0.5, 0.19, 0.47);
    const u = new Path2D("M0 0 L.21 0 L.21 .62 C.21 .92 .79 .92 .79 .62 L.79 0 L1 0 L1 .63 C1 1.123 0 1.123 0 .63 Z");
    return [a, c, g, u];
  }

  // A ring that is open at the right between the two angles (radians above and below the horizontal).
  function openRing(above, below) {
    const ring = new Path2D();
    ring.ellipse(0.56, 0.5, 0.56, 0.5, 0, below, 2 * Math.PI - above, false);
    ring.ellipse(0.56, 0.5, 0.35, 0.35, 0, 2 * Math.PI - above, below, true);
    ring.closePath();
    return ring;
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
    const columns = logo.pfm[0].length;
    const bits = Number(canvas.dataset.bitsHeight) || 60; // height of 2 bits
    const step = columnWidth(columns);
    return { columns, bits, step, width: LEFT + columns * step + 8, height: TOP + bits + BOTTOM };
  }

  function draw(canvas, logo, scale) {
    const { columns, bits, step, width, height } = sizeOf(canvas, logo);
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    const context = canvas.getContext("2d");
    context.scale(scale, scale);
    drawFrame(context, logo, columns, bits, step);
    for (let column = 0; column < columns; column++) {
      let base = TOP + bits;
      for (const [letter, heightInBits] of letterHeights(logo.pfm, column)) {
        const tall = (heightInBits * bits) / 2;
        if (tall * scale < 0.3) continue;
        base -= tall;
        const x = LEFT + column * step + 0.04 * step;
        context.setTransform(scale * 0.92 * step, 0, 0, scale * tall, scale * x, scale * base);
        context.fillStyle = COLOURS[letter];
        context.fill(LETTERS[letter]);
      }
    }
    canvas.dataset.drawn = "1";
  }

  function drawFrame(context, logo, columns, bits, step) {
    const foot = TOP + bits;
    for (const [start, end] of logo.segments) {
      context.fillStyle = "#eef1f6";
      context.fillRect(LEFT + start * step, TOP, (end - start) * step, bits);
      context.fillStyle = "#333";
      context.fillRect(LEFT + start * step + 1, foot + 2, (end - start) * step - 2, 3);
    }
    context.fillStyle = "#d5d8de";
    for (const level of [0, 1]) context.fillRect(LEFT, TOP + (level * bits) / 2, columns * step, 1);
    context.fillStyle = INK;
    context.fillRect(LEFT, foot, columns * step, 1);
    context.fillRect(LEFT - 1, TOP, 1, bits + 1);
    context.font = "10px sans-serif";
    context.textBaseline = "middle";
    context.textAlign = "right";
    for (const level of [0, 1, 2]) {
      const y = foot - (level * bits) / 2;
      context.fillRect(LEFT - 4, y, 4, 1);
      context.fillText(String(level), LEFT - 7, y);
    }
    context.save();
    context.translate(7, TOP + bits / 2);
    context.rotate(-Math.PI / 2);
    context.textAlign = "center";
    context.fillText("bits", 0, 0);
    context.restore();
    context.textAlign = "center";
    const every = columns <= 20 && logo.first + columns <= 100 ? 1 : columns <= 80 ? 5 : 10;
    for (let column = 0; column < columns; column++) {
      const position = logo.first + column;
      if (position % every !== 0 && column !== 0) continue;
      if (column !== 0 && column * step < 20 && every > 1) continue; // would touch the first number
      const x = LEFT + (column + 0.5) * step;
      if (every > 1) context.fillRect(x - 0.5, foot + 6, 1, 3);
      context.fillText(String(position), x, foot + 15);
    }
  }

  function free(canvas) {
    canvas.width = canvas.height = 1; // the size on the page is set by its style
    delete canvas.dataset.drawn;
  }

  function start() {
    const source = document.getElementById("combmotif-data");
    if (!source) return;
    const logos = JSON.parse(source.textContent).logos;
    const canvases = [...document.querySelectorAll("canvas[data-logo]")];
    const logoOf = (canvas) => logos[Number(canvas.dataset.logo)];
    const screenScale = () => Math.max(1, Math.min(3, window.devicePixelRatio || 1));
    let area = 0;
    for (const canvas of canvases) {
      const { width, height } = sizeOf(canvas, logoOf(canvas));
      canvas.style.width = `${width}px`;
      canvas.style.height = `${height}px`;
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
