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

  /** Room above what is drawn, px: for the legend, and for the titles of panels. */
  const above = (figure, legend) => 10 + legend + (figure.layout.annotations ? 22 : 0);

  /** Layout of a figure: the page's font, a legend above, axes that nobody drags by mistake. */
  function layoutOf(figure, width) {
    const size = sizeFor(width);
    const layout = {
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: fonts, size },
      margin: { l: 8, r: 14, t: above(figure, 0), b: 8 },
      legend: { orientation: "h", x: 0, xref: "container", xanchor: "left", y: 1, yref: "container", yanchor: "top" },
      hovermode: "closest",
      dragmode: false,
      width,
      height: figure.height,
      ...figure.layout,
    };
    layout.annotations = (layout.annotations || []).map((note) => ({ ...note, font: { size: size - 1 } }));
    for (const key of Object.keys(layout)) {
      if (/^[xy]axis\d*$/.test(key)) layout[key] = axis(layout[key], size, width * 0.62);
    }
    return layout;
  }

  const drawn = new Map();

  /** Gives the legend the room that it turned out to need. */
  function settle(element, figure) {
    const box = element.querySelector(".legend .bg");
    const legend = box ? Math.ceil(box.getBBox().height) : 0;
    const [top, height] = [above(figure, legend), figure.height + legend];
    if (element.layout.margin.t === top && element.layout.height === height) return;
    Plotly.relayout(element, { "margin.t": top, height });
  }

  /** Draws a figure, or another one in its place. */
  function put(element, figure, margin = {}) {
    drawn.set(element, figure);
    const layout = layoutOf(figure, element.clientWidth);
    Plotly.react(element, figure.data, { ...layout, margin: { ...layout.margin, ...margin } }, config);
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

  return { data, hatching, sizeFor, put, fit, drawAll };
})();
