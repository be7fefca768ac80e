/* Draws the plots that the page has data for. Colours of text and lines are the style sheet's. */
"use strict";
const report = (() => {
  const data = JSON.parse(document.getElementById("report-data").textContent);
  const config = { displayModeBar: false, responsive: false, doubleClick: false, showTips: false };
  const hatching = { fillmode: "overlay", fgcolor: "#ffffff", fgopacity: 0.65, size: 7, solidity: 0.25 };
  const fonts = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif';
  const sizeFor = (width) => (width < 480 ? 11 : 13);

  /** A title that is too long for a narrow plot, on two lines. */
  const wrapped = (text, size, width) =>
    text.length * size * 0.55 < width ? text : text.replace(/^(.{12,}?) (?=.{0,34}$)/, "$1<br>");

  function axis(given, size, width, along) {
    const title = given.title ? { text: wrapped(given.title.text, size, width), font: { size }, standoff: 8 } : undefined;
    const ticks = { ticks: "outside", ticklen: 4, tickcolor: "rgba(0,0,0,0)", tickangle: 0 };
    const few = along && size < 13 ? { nticks: 5 } : {};
    const all = given.categoryarray ? { dtick: 1 } : {};
    return { fixedrange: true, ...few, ...all, ...ticks, ...given, automargin: false, title };
  }

  /** Room above what is drawn, px: for the legend, and for the titles of panels. */
  const above = (figure, legend) => 10 + legend + (figure.layout.annotations ? 22 : 0);

  /** Layout of a figure: the page's font, a legend above, axes that nobody drags by mistake. */
  function layoutOf(figure, width) {
    const size = sizeFor(width);
    const layout = {
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: fonts, size },
      margin: { l: 60, r: 18, t: above(figure, 0), b: 50, autoexpand: false },
      legend: { orientation: "h", x: 0, xref: "container", xanchor: "left", y: 1, yref: "container", yanchor: "top" },
      hovermode: "closest",
      dragmode: false,
      width,
      height: figure.height,
      ...figure.layout,
    };
    layout.annotations = (layout.annotations || []).map((note) => ({ ...note, font: { size: size - 1 } }));
    for (const key of Object.keys(layout)) {
      if (/^[xy]axis\d*$/.test(key)) layout[key] = axis(layout[key], size, width * 0.62, key.startsWith("x"));
    }
    return layout;
  }

  const drawn = new Map();

  const largest = (element, selector, side) =>
    Math.ceil(Math.max(0, ...[...element.querySelectorAll(selector)].map((each) => each.getBoundingClientRect()[side])));

  /**
   * Gives legend, labels and titles the room that they turned out to need; again if that changed what they need, for
   * a legend is cut where the plot is low. Plotly's own way to do so goes round in circles where there is little room.
   */
  function settle(element, figure, times = 4) {
    const legend = largest(element, ".legend .bg", "height");
    const title = largest(element, ".xtitle", "height");
    const needed = {
      l: largest(element, "g[class^='y'][class$='tick'] text", "width") + 14,
      t: above(figure, legend),
      b: largest(element, ".xtick text", "height") + 14 + (title && title + 10),
    };
    const height = figure.height + legend;
    const { margin } = element.layout;
    if (element.layout.height === height && Object.entries(needed).every(([side, room]) => margin[side] === room)) return;
    const change = Object.fromEntries(Object.entries(needed).map(([side, room]) => [`margin.${side}`, room]));
    Plotly.relayout(element, { ...change, height });
    if (times > 1) settle(element, figure, times - 1);
  }

  /** Draws a figure, or another one in its place. */
  function put(element, figure) {
    drawn.set(element, figure);
    Plotly.react(element, figure.data, layoutOf(figure, element.clientWidth), config);
    settle(element, figure);
  }

  /** Makes every plot as wide as its place, or as it is told. */
  function fit(width) {
    for (const [element, figure] of drawn) {
      const wide = width || element.clientWidth;
      if (!wide) continue;
      Plotly.relayout(element, { width: wide });
      settle(element, figure);
    }
  }

  function draw(element) {
    const figure = data.plots[element.dataset.plot];
    if (!figure || drawn.has(element)) return;
    for (const trace of figure.data) {
      if (trace.marker && trace.marker.pattern) trace.marker.pattern = { ...hatching, ...trace.marker.pattern };
    }
    put(element, figure);
  }

  /** Draws what can be seen; the rest is drawn when it is opened, or printed. */
  function drawAll() {
    for (const element of document.querySelectorAll("[data-plot]")) {
      if (element.offsetParent !== null) draw(element);
    }
  }

  return { data, hatching, put, fit, drawAll };
})();
