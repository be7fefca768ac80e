/* Draws the plots that the page has data for. Colours of text and lines are the style sheet's. */
"use strict";
const report = (() => {
  const data = JSON.parse(document.getElementById("report-data").textContent);
  const config = { displayModeBar: false, responsive: true, doubleClick: false, showTips: false };
  const narrow = () => document.documentElement.clientWidth < 520;

  const axis = (given) => ({ fixedrange: true, showgrid: true, ticks: "outside", ticklen: 3, tickcolor: "rgba(0,0,0,0)", ...given });

  /** Layout of a figure: the page's font, a legend above, axes that nobody drags by mistake. */
  function layoutOf(figure) {
    const small = narrow();
    const layout = {
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif', size: small ? 11 : 13 },
      margin: { l: 8, r: 14, t: 30, b: 8, pad: 2 },
      legend: { orientation: "h", x: 0, xanchor: "left", y: 1, yref: "container", yanchor: "top" },
      hovermode: "closest",
      dragmode: false,
      height: figure.height,
      ...figure.layout,
    };
    for (const key of Object.keys(layout)) {
      if (/^[xy]axis\d*$/.test(key)) layout[key] = axis(layout[key]);
    }
    return layout;
  }

  function draw(element) {
    const figure = data.plots[element.dataset.plot];
    if (!figure || element.dataset.drawn) return;
    element.dataset.drawn = "yes";
    Plotly.newPlot(element, figure.data, layoutOf(figure), config);
  }

  /** Draws what can be seen; the rest is drawn when it is opened, or printed. */
  function drawAll(hiddenToo) {
    for (const element of document.querySelectorAll("[data-plot]")) {
      if (hiddenToo || element.offsetParent !== null) draw(element);
    }
  }

  return { data, config, layoutOf, draw, drawAll, narrow };
})();
