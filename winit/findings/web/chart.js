// Draws the one chart of a page.
"use strict";
window.winit = { views: {} };
(async () => {
  const { definition, config } = JSON.parse(document.getElementById("drawn").textContent);
  // Not the source: it would be written into a window as it is.
  const actions = { export: true, source: false, compiled: false, editor: false };
  const { view } = await vegaEmbed("#chart", definition, { renderer: "svg", config, logLevel: 1, actions });
  winit.views.chart = view;
  document.documentElement.dataset.ready = "true";
})();
