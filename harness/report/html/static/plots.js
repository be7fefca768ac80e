/* Draws the plots that the page has data for. Colours of text and lines are the style sheet's. */
"use strict";
const report = (() => {
  const data = JSON.parse(document.getElementById("report-data").textContent);
  const config = { displayModeBar: false, responsive: true, doubleClick: false, showTips: false };
  const narrow = () => document.documentElement.clientWidth < 520;

  const hatching = { fillmode: "overlay", fgcolor: "#ffffff", fgopacity: 0.65, size: 7, solidity: 0.25 };

  /** A title that is too long for a narrow plot, on two lines. */
  const wrapped = (text, size, width) =>
    text.length * size * 0.55 < width ? text : text.replace(/^(.{12,}?) (?=.{0,34}$)/, "$1<br>");

  function axis(given, size, width) {
    const title = given.title ? { text: wrapped(given.title.text, size, width), font: { size }, standoff: 8 } : undefined;
    return { fixedrange: true, ticks: "outside", ticklen: 4, tickcolor: "rgba(0,0,0,0)", ...given, title };
  }

  /** Rows that the legend takes: Plotly gives all entries of a legend the width of the longest. */
  function legendRows(traces, size, width) {
    const names = traces.filter((trace) => trace.showlegend !== false).map((trace) => trace.name || "");
    if (names.length < 2) return 0;
    const widths = names.map((name) => name.length * size * 0.56 + 48);
    if (widths.reduce((sum, each) => sum + each, 0) <= width) return 1;
    return Math.ceil(names.length / Math.max(1, Math.floor(width / Math.max(...widths))));
  }

  /** Layout of a figure: the page's font, a legend above, axes that nobody drags by mistake. */
  function layoutOf(figure, element) {
    const size = narrow() ? 11 : 13;
    const rows = figure.layout.showlegend === false ? 0 : legendRows(figure.data, size, element.clientWidth - 24);
    const legend = rows * (size + 6);
    const layout = {
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif', size },
      margin: { l: 8, r: 14, t: 10 + legend + (figure.layout.annotations ? 22 : 0), b: 8 },
      legend: { orientation: "h", x: 0, xanchor: "left", y: 1, yref: "container", yanchor: "top" },
      hovermode: "closest",
      dragmode: false,
      height: figure.height + legend,
      ...figure.layout,
    };
    layout.annotations = (layout.annotations || []).map((note) => ({ ...note, font: { size: size - 1 } }));
    for (const key of Object.keys(layout)) {
      if (/^[xy]axis\d*$/.test(key)) layout[key] = axis(layout[key], size, element.clientWidth * 0.62);
    }
    return layout;
  }

  function draw(element) {
    const figure = data.plots[element.dataset.plot];
    if (!figure || element.dataset.drawn) return;
    element.dataset.drawn = "yes";
    for (const trace of figure.data) {
      if (trace.marker && trace.marker.pattern) trace.marker.pattern = { ...hatching, ...trace.marker.pattern };
    }
    Plotly.newPlot(element, figure.data, layoutOf(figure, element), config);
  }

  /** Draws what can be seen; the rest is drawn when it is opened, or printed. */
  function drawAll(hiddenToo) {
    for (const element of document.querySelectorAll("[data-plot]")) {
      if (hiddenToo || element.offsetParent !== null) draw(element);
    }
  }

  return { data, config, hatching, layoutOf, draw, drawAll };
})();
