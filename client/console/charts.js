// The charts: a line or bars in SVG, a heatmap on a canvas. Each says in words what it shows; the words that stand
// with it are given by the caller.
import { bar, el, legend, newId, say, setAttribute, shape, show } from "./dom.js";
import { bytes, clock, latency } from "./numbers.js";
import { KEPT_S, addCounts, height, quantile, shade, stretches, sum } from "./series.js";

const WIDTH = 300;

/** A path through the known values; a gap where none is known. */
function linePath(values, max, tall) {
  let path = "", open = false;
  const step = WIDTH / Math.max(1, values.length - 1);
  for (const [n, value] of values.entries()) {
    if (value === null) {
      open = false;
      continue;
    }
    path += `${open ? "L" : "M"}${(n * step).toFixed(1)} ${(tall - (value / max) * tall).toFixed(1)}`;
    if (!open && (n + 1 === values.length || values[n + 1] === null)) path += "h1";
    open = true;
  }
  return path;
}

function barPath(values, max, tall) {
  let path = "";
  const step = WIDTH / values.length;
  for (const [n, value] of values.entries()) {
    if (!value) continue;
    const high = Math.max(1.5, (value / max) * tall);
    path += `M${((n + 0.1) * step).toFixed(1)} ${tall}v${(-high).toFixed(1)}h${(step * 0.8).toFixed(1)}V${tall}z`;
  }
  return path;
}

/** A small chart without axes. `kinds`: classes of its series, `bars` or lines. */
export function spark(kinds, { bars = false, tall = 32 } = {}) {
  const paths = kinds.map((kind) => shape("path", { class: `${bars ? "bars" : "line"} ${kind}` }));
  const node = shape("svg", { class: "spark", viewBox: `0 -1 ${WIDTH} ${tall + 2}`, preserveAspectRatio: "none", "aria-hidden": "true", focusable: "false" }, paths);
  return {
    node,
    update(series, max = Math.max(0, ...series.flat())) {
      for (const [n, values] of series.entries()) setAttribute(paths[n], "d", (bars ? barPath : linePath)(values, max || 1, tall));
    },
  };
}

/** A number, what belongs to it, and perhaps its last 15 minutes. `used`: with a bar. */
export function card(title, kinds = [], options = {}) {
  const id = newId();
  const number = el("span"), units = el("span.unit"), below = el("p.below"), words = el("p.words"), drawn = kinds.length ? spark(kinds, options) : null;
  const used = options.used && bar("used");
  const node = el("article.card", { "aria-labelledby": id }, el("h2", { id }, title), el("p.value", number, units), below, used && used.node, drawn && drawn.node, words);
  return {
    node,
    /** `told`: what the small chart shows. */
    update({ text, unit = "", sub, series, level = "", part, whole, told = "" }) {
      say(number, text);
      say(units, unit && ` ${unit}`);
      say(below, sub);
      setAttribute(node, "class", `card ${level}`);
      if (used) used.update([part], whole);
      if (drawn) drawn.update(series);
      say(words, told);
    },
  };
}

/** The time axis below a chart. */
const timeAxis = () => el("div.times", { "aria-hidden": "true" }, ["15 min ago", "10", "5", "now"].map((text) => el("span", text)));

/** A larger chart with a scale, a legend and words. `series`: `[kind, name]`. */
export function chart(title, series, format) {
  const drawn = spark(series.map(([kind]) => kind), { tall: 100 });
  const top = el("span"), middle = el("span"), words = el("p.summary");
  const id = newId();
  const node = el("figure.chart", { "aria-labelledby": id },
    el("div.head", el("h2", { id }, title), series.length > 1 && legend(series)),
    el("div.plot", el("div.scale", { "aria-hidden": "true" }, top, middle, el("span", "0")), drawn.node),
    timeAxis(), el("figcaption", words));
  return {
    node,
    update(values, text) {
      const max = nice(Math.max(0, ...values.flat()), format === bytes ? 1024 : Infinity);
      drawn.update(values, max);
      say(top, format(max));
      say(middle, format(max / 2));
      say(words, text);
    },
  };
}

/**
 * The end of a scale whose middle is written, too: the next of 2, 4, 6, 10, 20, 40, …, so that half of it is a whole
 * number; below `unit` of the largest power of `unit` that fits.
 */
export function nice(value, unit = Infinity) {
  if (value >= unit) return unit * nice(value / unit, unit);
  const ten = 10 ** Math.floor(Math.log10(value > 0 ? value : 1));
  return ten * [2, 4, 6, 10].find((step) => step * ten >= value * 0.999);
}

const COLUMNS = 180;
/** Of the scale: which bounds are written beside it. */
const WRITTEN_EACH = 3;

/** Latency over 15 minutes: darker where more messages were, p50 as a line, p99 dashed. */
export function heatmap() {
  const canvas = el("canvas", { "aria-hidden": "true" });
  const scale = el("div.scale.free", { "aria-hidden": "true" });
  const words = el("p.summary"), readout = el("p.readout", { "aria-hidden": "true" });
  const empty = el("p.empty", "No message has gone out in the last 15 minutes.");
  const id = newId();
  const plot = el("div.plot.heat", scale, canvas, empty);
  const node = el("figure.chart", { "aria-labelledby": id },
    el("div.head", el("h2", { id }, "Latency: from Redis to the socket"),
      legend([["p50", "p50"], ["p99", "p99"], ["ramp", "more messages"]])),
    plot, timeAxis(), readout, el("figcaption", words));
  let columns = [], bounds = [], end = 0, pointed = null;

  const point = (event) => {
    const box = canvas.getBoundingClientRect();
    const at = Math.floor(((event.clientX - box.left) / box.width) * COLUMNS);
    pointed = event.type !== "pointerleave" && at >= 0 && at < COLUMNS ? at : null;
    tell();
    draw();
  };
  for (const type of ["move", "down", "leave"]) canvas.addEventListener(`pointer${type}`, point);

  function tell() {
    if (pointed === null) return say(readout, "Point at the chart to read a moment.");
    const each = (KEPT_S * 1000) / COLUMNS;
    const from = end - (COLUMNS - pointed) * each;
    const counts = columns[pointed];
    const said = counts && sum(counts) ? `p50 ${latency(quantile(counts, bounds, 0.5))} · p99 ${latency(quantile(counts, bounds, 0.99))} · ${sum(counts)} messages` : "no message";
    say(readout, `${clock(from)}–${clock(from + each)}: ${said}`);
  }

  function draw() {
    const box = canvas.getBoundingClientRect();
    if (!box.width) return;
    const dots = Math.min(2, globalThis.devicePixelRatio || 1);
    const [wide, tall] = [Math.round(box.width * dots), Math.round(box.height * dots)];
    if (canvas.width !== wide) canvas.width = wide;
    if (canvas.height !== tall) canvas.height = tall;
    const style = getComputedStyle(canvas);
    const color = (name) => style.getPropertyValue(name).trim();
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, wide, tall);
    const buckets = bounds.length + 1;
    const [w, h] = [wide / COLUMNS, tall / buckets];
    context.fillStyle = color("--heat");
    for (const [x, counts] of columns.entries()) {
      const all = counts ? sum(counts) : 0;
      for (let y = 0; all && y < buckets; y++) {
        if (!counts[y]) continue;
        context.globalAlpha = shade(counts[y], all);
        const left = Math.round(x * w), top = Math.round(tall - (y + 1) * h);
        context.fillRect(left, top, Math.round((x + 1) * w) - left, Math.round(tall - y * h) - top);
      }
    }
    context.globalAlpha = 1;
    context.fillStyle = color("--grid");
    for (let y = WRITTEN_EACH; y < buckets; y += WRITTEN_EACH) context.fillRect(0, Math.round(tall - y * h), wide, 1);
    for (const [q, name, dash] of [[0.5, "--p50", []], [0.99, "--p99", [6 * dots, 4 * dots]]]) {
      const path = new Path2D();
      let open = false;
      for (const [x, counts] of columns.entries()) {
        const value = counts ? quantile(counts, bounds, q) : null;
        if (value === null) open = false;
        else {
          const at = [(x + 0.5) * w, tall - height(value, bounds) * h];
          if (open) path.lineTo(...at);
          else path.moveTo(...at);
          open = true;
        }
      }
      context.lineJoin = "round";
      context.setLineDash([]);
      context.lineWidth = 4 * dots;
      context.strokeStyle = color("--halo");
      context.stroke(path);
      context.setLineDash(dash);
      context.lineWidth = 1.75 * dots;
      context.strokeStyle = color(name);
      context.stroke(path);
    }
    if (pointed !== null) {
      context.fillStyle = color("--text");
      context.fillRect(Math.round((pointed + 0.5) * w), 0, 1, tall);
    }
  }

  return {
    node,
    /** A theme or a size may have changed without new numbers. */
    draw,
    update(list, newBounds, text) {
      if (newBounds.join() !== bounds.join()) {
        const written = newBounds.map((bound, n) => [bound, n + 1]).filter(([, n]) => n % WRITTEN_EACH === 0);
        scale.replaceChildren(...written.map(([bound, n]) => {
          const mark = el("span", latency(bound));
          mark.style.bottom = `${(n / (newBounds.length + 1)) * 100}%`;
          return mark;
        }));
      }
      bounds = newBounds;
      columns = stretches(list, COLUMNS, (one) => one.latency, addCounts);
      end = list.at(-1)?.at ?? 0;
      show(empty, !columns.some((counts) => counts && sum(counts)));
      say(words, text);
      tell();
      draw();
    },
  };
}
