// Values at the pointer, at a tap, or at the arrow keys: of curves from data-chart, of all else from data-tip.
(() => {
  "use strict";
  const charts = new WeakMap();
  let tip = null;
  let open = null;

  function chartOf(svg) {
    if (!charts.has(svg)) {
      const data = svg.dataset.chart ? JSON.parse(svg.dataset.chart) : null;
      const title = svg.querySelector(":scope > title");
      if (title) { // the browser's own box would cover this one
        svg.setAttribute("aria-label", title.textContent);
        title.remove();
      }
      charts.set(svg, { data, stops: data ? stopsOf(data) : [], items: [...svg.querySelectorAll("[data-tip]")], at: -1, cross: null });
    }
    return charts.get(svg);
  }

  function stopsOf(data) {
    if (data.heat) return data.heat.v.map((_, index) => index);
    return [...new Set(data.series.flatMap((one) => one.x || data.xs))].sort((a, b) => a - b);
  }

  const nearest = (values, x) => values.reduce((best, value, i) => (Math.abs(value - x) < Math.abs(values[best] - x) ? i : best), 0);
  function written(value) {
    const size = Math.abs(value);
    if (size >= 100) return String(Math.round(value));
    return size >= 1 || size < 0.001 ? String(Number(value.toPrecision(3))) : value.toFixed(3);
  }

  function curveLines(data, x) {
    const lines = [{ words: `${data.name} ${written(x)}` }];
    for (const one of data.series) {
      const xs = one.x || data.xs;
      const at = nearest(xs, x);
      if (x > xs[xs.length - 1] || x < xs[0] || one.y[at] === null) continue;
      const limits = one.lo ? ` (${written(one.lo[at])} to ${written(one.hi[at])})` : "";
      lines.push({ words: `${one.n}: ${written(one.y[at])}${limits}`, series: one.s });
    }
    return lines;
  }

  function draw(chart, svg, path) {
    if (!chart.cross) {
      chart.cross = document.createElementNS("http://www.w3.org/2000/svg", "path");
      chart.cross.setAttribute("class", "crosshair");
      svg.append(chart.cross);
    }
    chart.cross.setAttribute("d", path);
  }

  function onPicture(svg, x, y) {
    return new DOMPoint(x, y).matrixTransform(svg.getScreenCTM());
  }

  function showStop(svg, chart, x, pointer) {
    const { box, heat } = chart.data;
    const [left, top, right, bottom] = box;
    if (heat) {
      const [row, column] = [Math.floor(x / heat.columns), x % heat.columns];
      const [w, h] = [(right - left) / heat.columns, (bottom - top) / heat.rows];
      const [cellX, cellY] = [left + column * w, top + row * h];
      draw(chart, svg, `M${cellX} ${cellY}h${w}v${h}h${-w}z`);
      const lines = [{ words: `${heat.row} ${row}, ${heat.column} ${column}` }, { words: `change ${written(heat.v[x] * heat.unit)}` }];
      return show(svg, lines, pointer || onPicture(svg, cellX + w, cellY));
    }
    const [low, high] = chart.data.x;
    const at = left + ((x - low) / (high - low)) * (right - left);
    draw(chart, svg, `M${at} ${top}V${bottom}`);
    return show(svg, curveLines(chart.data, x), pointer || onPicture(svg, at, top + 20));
  }

  function showItem(svg, chart, item, pointer) {
    const corner = item.getBoundingClientRect();
    chart.items.forEach((one) => one.classList.toggle("on", one === item));
    chart.at = chart.items.indexOf(item);
    const words = item.dataset.tip.split("\n");
    show(svg, words.map((line) => ({ words: line })), pointer || { x: corner.left + corner.width / 2, y: corner.top });
  }

  function show(svg, lines, place) {
    if (!tip) {
      tip = document.createElement("div");
      tip.className = "chart-tip";
      tip.setAttribute("role", "status");
      tip.setAttribute("aria-live", "polite");
      document.body.append(tip);
    }
    if (open && open !== svg) hide();
    open = svg;
    tip.replaceChildren(...lines.map(({ words, series }) => {
      const row = document.createElement("div");
      if (series !== undefined) {
        const sample = document.createElement("i");
        sample.className = `s${series}`;
        row.append(sample);
      }
      row.append(words);
      return row;
    }));
    tip.hidden = false;
    const { width, height } = tip.getBoundingClientRect();
    const beside = place.x + 14 + width > document.documentElement.clientWidth ? place.x - 14 - width : place.x + 14;
    tip.style.left = `${Math.max(4, beside)}px`;
    tip.style.top = `${Math.max(4, Math.min(place.y + 10, document.documentElement.clientHeight - height - 4))}px`;
  }

  function hide() {
    if (!open) return;
    const chart = chartOf(open);
    if (chart.cross) chart.cross.setAttribute("d", "");
    chart.items.forEach((one) => one.classList.remove("on"));
    tip.hidden = true;
    open = null;
  }

  function point(event) {
    const svg = event.target instanceof Element ? event.target.closest("svg.chart") : null;
    if (!svg) return hide();
    const chart = chartOf(svg);
    const item = event.target.closest("[data-tip]");
    const pointer = { x: event.clientX, y: event.clientY };
    if (item) return showItem(svg, chart, item, pointer);
    if (!chart.data) return hide();
    const { x, y } = new DOMPoint(pointer.x, pointer.y).matrixTransform(svg.getScreenCTM().inverse());
    const { box, heat, x: range } = chart.data;
    const [across, down] = [(x - box[0]) / (box[2] - box[0]), (y - box[1]) / (box[3] - box[1])];
    if (across < 0 || across > 1 || down < 0 || down > 1) return hide();
    const value = range[0] + across * (range[1] - range[0]);
    if (heat) {
      chart.at = Math.min(heat.rows - 1, Math.floor(down * heat.rows)) * heat.columns + Math.min(heat.columns - 1, Math.floor(across * heat.columns));
    } else chart.at = nearest(chart.stops, value);
    return showStop(svg, chart, chart.stops[chart.at], pointer);
  }

  document.addEventListener("pointermove", point);
  document.addEventListener("pointerdown", point);
  document.addEventListener("scroll", hide, { passive: true, capture: true });
  document.addEventListener("focusout", hide);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") return hide();
    const svg = event.target instanceof Element ? event.target.closest("svg.chart") : null;
    const chart = svg && chartOf(svg);
    const n = chart ? (chart.data ? chart.stops : chart.items).length : 0;
    if (!n || !event.key.startsWith("Arrow")) return undefined;
    event.preventDefault();
    const rows = chart.data && chart.data.heat ? chart.data.heat.columns : 1;
    const move = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: rows, ArrowUp: -rows }[event.key];
    chart.at = chart.at < 0 ? 0 : Math.max(0, Math.min(n - 1, chart.at + move));
    return chart.data ? showStop(svg, chart, chart.stops[chart.at]) : showItem(svg, chart, chart.items[chart.at]);
  });
})();
