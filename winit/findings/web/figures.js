"use strict";
// The figures that depend on no choice.
{
  for (const element of document.querySelectorAll(".figure[data-figure] .chart")) {
    element.closest("figure").prepend(winit.saver(element));
    winit.figure(element);
  }
  winit.settled().then(() => { document.documentElement.dataset.ready = "true"; });
}
