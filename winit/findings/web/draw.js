"use strict";
// Fills the holes of chart definitions for this page, and draws them when they come into view.
{
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  // Paper is white, whatever the screen is.
  const PRINTED = { ink: "#1a1a1a", paper: "#ffffff", quiet: "#595959", line: "#d4d4d4" };
  let printing = false;
  const inks = () => printing ? PRINTED
    : Object.fromEntries(Object.keys(PRINTED).map((name) => [name, css(`--${name}`)]));

  const style = ({ ink, quiet, line }) => {
    const words = { labelColor: ink, titleColor: ink, labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal" };
    return {
      background: "transparent",
      font: "system-ui, sans-serif",
      axis: { ...words, gridColor: line, domainColor: quiet, tickColor: quiet },
      header: words,
      legend: { ...words, orient: "bottom", labelLimit: 320, symbolOpacity: 1,
        layout: { bottom: { direction: "vertical", anchor: "start" } } },
      title: { color: ink, fontSize: 13, subtitleColor: quiet, subtitleFontSize: 12, anchor: "start" },
      view: { stroke: line },
      text: { color: ink },
    };
  };

  const isData = (name, value) => name === "datasets" || (name === "values" && Array.isArray(value));
  const filled = (part, holes) => {
    if (typeof part === "string") return Object.hasOwn(holes, part) ? filled(holes[part], holes) : part;
    if (Array.isArray(part)) return part.map((each) => filled(each, holes));
    if (part === null || typeof part !== "object") return part;
    return Object.fromEntries(Object.entries(part).map(([name, value]) =>
      [name, isData(name, value) ? value : filled(value, holes)]));
  };

  const isOneView = (definition) =>
    !("facet" in definition || "concat" in definition || "vconcat" in definition ||
      "row" in (definition.encoding ?? {}) || "facet" in (definition.encoding ?? {}));

  /** Everything that is drawn, or will be once it comes into view: by element, how. */
  const drawings = new Map();

  const busy = new Set();

  const drawNow = async (element) => {
    if (busy.has(element)) return; // it looks again when it is done
    busy.add(element);
    while (drawings.get(element)?.due) await drawOnce(element, drawings.get(element));
    busy.delete(element);
  };

  const drawOnce = async (element, drawing) => {
    drawing.due = false;
    element.style.minHeight = `${element.offsetHeight}px`; // the page does not jump
    const { definition, datasets, holes } = drawing.make(element.clientWidth);
    const own = isOneView(definition);
    const sized = { ...definition, ...(own ? { autosize: { type: "fit-x", contains: "padding" } } : {}) };
    const { ink, paper } = inks();
    const all = { "@ink": ink, "@paper": paper, "@width": "container",
      "@keys": winit.keys(element.clientWidth, 20), ...holes };
    drawing.last = { definition: sized, datasets, holes: all };
    await embed(element, sized, datasets, all);
    // What stands beside the panels has a width that is only known once it is drawn.
    const over = element.scrollWidth - element.clientWidth;
    if (over > 0 && typeof all["@width"] === "number") {
      all["@width"] = Math.max(60, all["@width"] - Math.ceil(over / (all["@columns"] ?? 1)));
      await embed(element, sized, datasets, all);
    }
    // What still is too wide can be scrolled, from the keyboard too.
    if (element.scrollWidth > element.clientWidth) element.tabIndex = 0;
    else element.removeAttribute("tabindex");
    element.style.minHeight = "";
    drawing.drawn?.(winit.views[element.id]);
  };

  const embed = async (element, definition, datasets, holes) => {
    const complete = filled(definition, holes);
    if (datasets) complete.datasets = datasets;
    winit.views[element.id]?.finalize();
    // Vega gives what it draws in a label of its own; ours says more.
    const inside = document.createElement("div");
    element.replaceChildren(inside);
    const { view } = await vegaEmbed(inside, complete, {
      // An element for each of so many marks would take longer than it is worth.
      renderer: datasets?.networks?.length > 3000 ? "canvas" : "svg",
      actions: false,
      logLevel: 1, // errors: that theory has no rows is no news
      config: style(inks()),
      tooltip: { theme: dark.matches ? "dark" : "light" },
    });
    winit.views[element.id] = view;
  };

  /** When all that is in sight is drawn. */
  winit.settled = async () => {
    const frame = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
    do { await frame(); await frame(); } while (busy.size);
  };

  const nearby = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (isIntersecting && drawings.get(target)?.due) drawNow(target);
    }
  }, { rootMargin: "300px" });

  /** Draw in an element, when it is or comes near the window: make(width) says what. */
  winit.draw = (element, make, drawn) => {
    drawings.set(element, { make, drawn, due: true });
    nearby.unobserve(element);
    nearby.observe(element);
  };

  /** Take a drawing away and say why. */
  winit.nothing = (element, words) => {
    drawings.delete(element);
    nearby.unobserve(element);
    winit.views[element.id]?.finalize();
    delete winit.views[element.id];
    const paragraph = document.createElement("p");
    paragraph.className = "nothing";
    paragraph.textContent = words;
    element.replaceChildren(paragraph);
  };

  /** So many keys of a legend stand side by side in such a width, the longest of so many letters. */
  winit.keys = (width, longest) => Math.max(1, Math.floor(width / (7 * longest + 40)));

  const again = () => { for (const [element, drawing] of drawings) winit.draw(element, drawing.make, drawing.drawn); };
  dark.addEventListener("change", again);
  let width = innerWidth, waiting;
  addEventListener("resize", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => { if (innerWidth !== width) { width = innerWidth; again(); } }, 200);
  });
  const print = (now) => {
    printing = now;
    for (const [element, drawing] of drawings) { drawing.due = true; drawNow(element); }
  };
  addEventListener("beforeprint", () => print(true));
  addEventListener("afterprint", () => print(false));

  /** How many panels stand side by side, and how wide they are, in so many pixels. */
  winit.panels = (width, count, { least, beside = 60, gap = 24 }) => {
    const columns = Math.max(1, Math.min(count, Math.floor((width - beside + gap) / (least + gap))));
    return { "@columns": columns, "@width": Math.max(80, Math.floor((width - beside + gap) / columns) - gap) };
  };

  /** How much of such a width the names of initializers may take. */
  winit.names = (width) => width < 500 ? 130 : 240;

  /** A figure that depends on no choice, from its definition in the page. */
  winit.figure = (element) => {
    const { panels, least, named, longest } = winit.data.figures[element.id];
    winit.draw(element, (width) => {
      const definition = JSON.parse(document.getElementById(`spec-${element.id}`).textContent);
      const names = winit.names(width);
      const room = named ? { beside: names + 30, gap: 24 } : { beside: 75, gap: 75 };
      const holes = isOneView(definition) ? {} : winit.panels(width, panels, { least, ...room });
      return { definition, holes: { ...holes, "@names": names, "@keys": winit.keys(width, longest) } };
    });
  };

  /** A drawing on white paper, with its title and its legend. */
  const asFile = async (element, { definition, datasets, holes }, kind) => {
    const title = element.closest("figure").querySelector("h3, h4").textContent;
    const complete = filled({ ...definition, title }, {
      ...holes, "@ink": PRINTED.ink, "@paper": PRINTED.paper, "@legend": { columns: 2, title: null },
      "@width": holes["@width"] === "container" ? 560 : holes["@width"],
    });
    if (datasets) complete.datasets = datasets;
    const { view } = await vegaEmbed(document.createElement("div"), complete,
      { renderer: "svg", actions: false, logLevel: 1, config: { ...style(PRINTED), background: PRINTED.paper } });
    const url = await view.toImageURL(kind, kind === "png" ? 2 : 1);
    view.finalize();
    return url;
  };

  /** Buttons that save a drawing as a file. */
  winit.saver = (element) => {
    const box = document.createElement("span");
    box.className = "save";
    for (const kind of ["svg", "png"]) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "small";
      button.textContent = kind.toUpperCase();
      button.setAttribute("aria-label", `Save ${element.id} as ${kind.toUpperCase()}`);
      button.addEventListener("click", async () => {
        const drawing = drawings.get(element)?.last;
        if (!drawing) return;
        const link = document.createElement("a");
        link.download = `${element.id}.${kind}`;
        link.href = await asFile(element, drawing, kind);
        link.click();
      });
      box.append(button);
    }
    return box;
  };
}
