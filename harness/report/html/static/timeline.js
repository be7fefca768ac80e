/* The timeline: unpacks one run (harness/report/html/timeline.py) and draws it; choosers, buttons and keys. */
"use strict";
const timeline = (() => {
  const packed = report.data.timeline;
  if (!packed) return null;
  const element = document.getElementById("timeline-plot");
  const frame = document.getElementById("timeline-frame");
  const choosers = ["scenario", "block", "arm"].map((name) => document.getElementById(`choose-${name}`));
  const name = (index) => packed.names[index];
  const cut = (text) => (text.length > 28 ? `${text.slice(0, 27)}\u2026` : text);
  const isolate = (text) => `\u2068${cut(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;")}\u2069`;
  const looks = {
    wait: { label: "waits for the coordinator", color: "#7a8290", shape: "." },
    loading: { label: "load", color: "#a45ee5", shape: "|" },
    queue: { label: "queue", color: "#7a8290", shape: "/" },
    prefill: { label: "prefill", color: "#d2691e", shape: "x" },
    decode: { label: "decode", color: "#3b7de0", shape: "" },
  };
  let run = null;
  let unit = 1000;

  const blockKey = (each) => `${each.d}:${each.b}`;
  function blockLabel(each) {
    const label = name(each.l);
    return `${each.d ? "base, " : ""}${each.b === 0 ? "0" : each.b}${label ? ` (${label})` : ""}`;
  }

  function fill(chooser, options, chosen) {
    chooser.replaceChildren(
      ...options.map(([value, text]) => {
        const option = document.createElement("option");
        option.value = value;
        option.textContent = text;
        option.selected = value === chosen;
        return option;
      }),
    );
  }

  const unique = (pairs) => [...new Map(pairs).entries()];

  /** Choosers offer only what there is; what was chosen stays where it can. */
  function offer(chosen) {
    const [scenario, block, arm] = choosers;
    const runs = packed.runs;
    fill(scenario, unique(runs.map((each) => [String(each.s), name(each.s)])), String(chosen.s));
    const ofScenario = runs.filter((each) => each.s === chosen.s);
    fill(block, unique(ofScenario.map((each) => [blockKey(each), blockLabel(each)])), blockKey(chosen));
    const ofBlock = ofScenario.filter((each) => blockKey(each) === blockKey(chosen));
    fill(arm, unique(ofBlock.map((each) => [String(each.a), name(each.a)])), String(chosen.a));
  }

  function choose() {
    const [scenario, block, arm] = choosers.map((chooser) => chooser.value);
    const ofScenario = packed.runs.filter((each) => String(each.s) === scenario);
    const ofBlock = ofScenario.filter((each) => blockKey(each) === block);
    const together = (runs) => runs.reduce((best, each) => (each.g.length > best.g.length ? each : best));
    const found = ofBlock.find((each) => String(each.a) === arm) || (ofBlock.length && together(ofBlock)) || together(ofScenario);
    show(found);
  }

  /** Bars of one phase over all agents, from [start, length, row] in us. */
  function bars(kind, spans) {
    const { label, color, shape } = looks[kind];
    return {
      type: "bar", orientation: "h", name: label, width: 0.5,
      base: spans.map(([start]) => start / unit), x: spans.map(([, length]) => length / unit), y: spans.map(([, , row]) => row),
      marker: { color, opacity: kind === "decode" ? 0.4 : 1, pattern: { shape, ...report.hatching } },
      hovertemplate: `${label}: %{x:.4~g} ${unit === 1000 ? "ms" : "s"} from %{base:.4~g}<extra></extra>`,
    };
  }

  function ticks(agents) {
    const x = [];
    const y = [];
    agents.forEach((agent, row) => {
      let at = 0;
      for (const step of agent.t) {
        at += step;
        x.push(at / unit, at / unit, null);
        y.push(row - 0.33, row + 0.33, null);
      }
    });
    return { type: "scatter", mode: "lines", name: "token", x, y, line: { color: "#2f6fd0", width: 1 }, hovertemplate: "token at %{x:.5~g}<extra></extra>" };
  }

  function figure() {
    const spans = Object.fromEntries(Object.keys(looks).map((kind) => [kind, []]));
    run.g.forEach((agent, row) => {
      const [asked, admitted] = agent.w;
      if (admitted - asked > 500) spans.wait.push([asked, admitted - asked, row]);
      let at = 0;
      for (const [phase, length] of agent.p) {
        const kind = packed.phases[phase];
        if (spans[kind]) spans[kind].push([at, length, row]);
        at += length;
      }
    });
    const traces = Object.entries(spans).filter(([, found]) => found.length).map(([kind, found]) => bars(kind, found));
    const labels = run.g.map((agent) => `${isolate(name(agent.r))}${agent.b ? "<br>(background)" : ""}`);
    const layout = {
      barmode: "overlay",
      dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom",
      xaxis: { title: { text: `${unit === 1000 ? "ms" : "s"} since the run began` }, range: [0, run.w / unit], fixedrange: false, automargin: true, zeroline: false },
      yaxis: { tickvals: run.g.map((_, row) => row), ticktext: labels, range: [run.g.length - 0.5, -0.5], automargin: true, zeroline: false, showgrid: false },
    };
    return { data: [...traces, ticks(run.g)], layout, height: 70 + 60 * run.g.length };
  }

  function tell() {
    document.getElementById("timeline-words").textContent = run.x;
    element.setAttribute("aria-label", run.x);
    const body = document.querySelector("#timeline-requests tbody");
    body.replaceChildren(
      ...run.q.map((cells) => {
        const row = document.createElement("tr");
        cells.forEach((text, column) => {
          const cell = document.createElement(column ? "td" : "th");
          if (!column) cell.scope = "row";
          if (column === 1 || column === packed.words) cell.className = "words";
          if (text.length > 40) cell.classList.add("long");
          cell.textContent = text;
          row.append(cell);
        });
        return row;
      }),
    );
  }

  function show(next, quiet) {
    run = next;
    unit = run.w >= 10_000_000 ? 1_000_000 : 1000;
    offer(run);
    if (!quiet) tell();
    report.put(element, figure());
  }

  function zoom(how) {
    const [low, high] = element.layout.xaxis.range;
    const end = run.w / unit;
    const width = high - low;
    const middle = (low + high) / 2;
    let next = [0, end];
    if (how === "in" || how === "out") {
      const half = Math.min(end, how === "in" ? width / 2 : width * 2) / 2;
      next = [middle - half, middle + half];
    } else if (how !== "all") {
      const step = (how === "earlier" ? -1 : 1) * width * 0.4;
      next = [low + step, high + step];
    }
    if (next[0] < 0) next = [0, Math.min(end, next[1] - next[0])];
    if (next[1] > end) next = [Math.max(0, end - (next[1] - next[0])), end];
    Plotly.relayout(element, { "xaxis.range": next });
  }

  const keys = { ArrowLeft: "earlier", ArrowRight: "later", "+": "in", "=": "in", "-": "out", Home: "all" };
  frame.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
    event.preventDefault();
    zoom(keys[event.key]);
  });
  for (const button of document.querySelectorAll("[data-zoom]")) {
    button.addEventListener("click", () => zoom(button.dataset.zoom));
  }
  for (const chooser of choosers) chooser.addEventListener("change", choose);
  document.querySelector(".chooser").addEventListener("submit", (event) => event.preventDefault());
  show(packed.runs[packed.first], true);
  return { element };
})();
