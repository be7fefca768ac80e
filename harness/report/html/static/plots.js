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

  function axis(given, size, width) {
    const title = given.title ? { text: wrapped(given.title.text, size, width), font: { size }, standoff: 8 } : undefined;
    return { fixedrange: true, ticks: "outside", ticklen: 4, tickcolor: "rgba(0,0,0,0)", ...given, title };
  }

  /** Rows that the legend takes: Plotly gives all entries of a legend the width of the longest. */
  function legendRows(figure, size, width) {
    if (figure.layout.showlegend === false) return 0;
    const names = figure.data.filter((trace) => trace.showlegend !== false).map((trace) => trace.name || "");
    if (names.length < 2) return 0;
    const widths = names.map((name) => name.length * size * 0.56 + 48);
    if (widths.reduce((sum, each) => sum + each, 0) <= width) return 1;
    return Math.ceil(names.length / Math.max(1, Math.floor(width / Math.max(...widths))));
  }

  /** Room for the legend and for the titles of panels, above what is drawn. */
  function room(figure, width) {
    const size = sizeFor(width);
    const legend = legendRows(figure, size, width - 24) * (size + 6);
    return { top: 10 + legend + (figure.layout.annotations ? 22 : 0), height: figure.height + legend };
  }

  /** Layout of a figure: the page's font, a legend above, axes that nobody drags by mistake. */
  function layoutOf(figure, width) {
    const size = sizeFor(width);
    const { top, height } = room(figure, width);
    const layout = {
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: fonts, size },
      margin: { l: 8, r: 14, t: top, b: 8 },
      legend: { orientation: "h", x: 0, xanchor: "left", y: 1, yref: "container", yanchor: "top" },
      hovermode: "closest",
      dragmode: false,
      width,
      height,
      ...figure.layout,
    };
    layout.annotations = (layout.annotations || []).map((note) => ({ ...note, font: { size: size - 1 } }));
    for (const key of Object.keys(layout)) {
      if (/^[xy]axis\d*$/.test(key)) layout[key] = axis(layout[key], size, width * 0.62);
    }
    return layout;
  }

  const drawn = new Map();

  /** Draws a figure, or another one in its place. */
  function put(element, figure, change = {}) {
    drawn.set(element, { figure, change });
    const layout = layoutOf(figure, element.clientWidth);
    Plotly.react(element, figure.data, { ...layout, ...change, margin: { ...layout.margin, ...change.margin } }, config);
  }

  /** Makes every plot as wide as its place, or as it is told. */
  function fit(width) {
    for (const [element, { figure }] of drawn) {
      const wide = width || element.clientWidth;
      if (!wide) continue;
      const { top, height } = room(figure, wide);
      Plotly.relayout(element, { width: wide, height, "margin.t": top });
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

  return { data, hatching, sizeFor, put, fit, drawAll };
})();
