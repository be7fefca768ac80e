/* The page: plots are drawn when they are seen, tables that are too wide can be scrolled by keys, paper gets all of it. */
"use strict";
(() => {
  const PAPER = 640;
  document.documentElement.classList.add("scripted");
  report.drawAll();
  for (const details of document.querySelectorAll("details")) {
    details.addEventListener("toggle", () => {
      if (details.open) report.drawAll();
      reach();
    });
  }

  /** What scrolls sideways can be reached by keys; what does not is no stop on the way. */
  function reach() {
    for (const box of document.querySelectorAll(".scroll")) {
      if (box.scrollWidth > box.clientWidth + 1) box.tabIndex = 0;
      else box.removeAttribute("tabindex");
    }
  }
  reach();

  let width = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth === width) return;
    width = innerWidth;
    requestAnimationFrame(() => {
      report.fit();
      reach();
    });
  });

  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open]):not(.long)")];
    for (const details of closed) details.open = true;
    report.drawAll();
    report.fit(PAPER);
  });
  addEventListener("afterprint", () => {
    for (const details of closed) details.open = false;
    report.fit();
  });
})();
