"use strict";
// Draws the charts one after the other, in the colours that the reader's system asks for.
(() => {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const paper = window.matchMedia("print");
  const colours = () => dark.matches && !paper.matches
    ? { text: "#e6e9ed", grid: "#39414a", line: "#79838e" }
    : { text: "#1b1f24", grid: "#dfe3e8", line: "#8a939d" };

  const themed = (layout) => {
    const { text, grid, line } = colours();
    const changes = { "font.color": text };
    for (const axis of Object.keys(layout)) {
      if (/^[xy]axis\d*$/.test(axis)) {
        changes[`${axis}.gridcolor`] = grid;
        changes[`${axis}.zerolinecolor`] = grid;
        changes[`${axis}.linecolor`] = line;
      }
    }
    return changes;
  };
  const set = (target, path, value) => {
    const words = path.split(".");
    const last = words.pop();
    let at = target;
    for (const word of words) at = at[word] ??= {};
    at[last] = value;
  };
  const letters = (trace) => {
    if (trace.type !== "parcoords") return;
    for (const part of ["labelfont", "tickfont", "rangefont"]) set(trace, `${part}.color`, colours().text);
  };

  const plots = [];
  const draw = (script) => {
    const plot = document.getElementById(script.dataset.plot);
    const { data, layout } = JSON.parse(script.textContent);
    layout.xaxis ??= {};
    layout.yaxis ??= {};
    for (const [path, value] of Object.entries(themed(layout))) set(layout, path, value);
    data.forEach(letters);
    plots.push(plot);
    return Plotly.newPlot(plot, data, layout, { responsive: true, displaylogo: false, displayModeBar: false });
  };
  const recolour = () => {
    for (const plot of plots) {
      plot.data.forEach(letters);
      Plotly.update(plot, {}, themed(plot.layout));
    }
  };
  // a chart in what is folded has no width until it is opened
  const resized = (event) => {
    if (!event.target.open) return;
    for (const plot of event.target.querySelectorAll(".js-plotly-plot")) Plotly.Plots.resize(plot);
  };

  const scripts = [...document.querySelectorAll("script.figure")];
  const next = () => {
    const script = scripts.shift();
    if (script === undefined) {
      document.documentElement.dataset.drawn = "all";
      return;
    }
    draw(script).then(() => setTimeout(next, 0));
  };
  next();
  dark.addEventListener("change", recolour);
  paper.addEventListener("change", recolour);
  document.addEventListener("toggle", resized, true);
  window.addEventListener("beforeprint", () => {
    for (const fold of document.querySelectorAll("details")) fold.open = true;
    while (scripts.length) draw(scripts.shift());
    recolour();
  });
})();
