"use strict";
// The reader's choices: filters, the answers and the map that they hold for, and the networks that are compared.
{
  const MOST_LISTED = 200, MOST_COMPARED = 12;
  const { networks, data } = winit;
  const byId = (id) => document.getElementById(id);
  const verdictOf = (name) => data.verdicts[name];
  const keys = ["activation", "depth", "width", "unusual"];

  const make = (tag, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };
  const row = (...cells) => make("tr", {}, ...cells.map((cell) =>
    cell instanceof Node && cell.tagName === "TD" ? cell : make("td", {}, cell)));
  const verdict = (name) => {
    const { sign, style } = verdictOf(name) ?? { sign: "–", style: "" };
    return make("span", { className: "verdict" },
      make("span", { className: `sign ${style}`, ariaHidden: "true" }, sign), name ?? "failed");
  };
  const digits = (value) => value === null || value === undefined ? "–"
    : value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e5) ? value.toExponential(2) : String(Number(value.toPrecision(3)));
  const interval = (value, low, high) => low === null || low === undefined ? digits(value)
    : `${digits(value)} (${digits(low)} … ${digits(high)})`;

  // Filters -------------------------------------------------------------------------------------------------

  const form = byId("filters");
  const values = (name, of = networks) => [...new Set(of.map((network) => network[name]))];
  const options = { activation: values("activation").sort(), depth: values("depth").sort((a, b) => a - b),
    width: values("width", [...networks].sort((a, b) =>
      a.width_first - b.width_first || a.width_last - b.width_last || a.width.localeCompare(b.width))),
    unusual: values("unusual").sort(), verdict: Object.keys(data.verdicts).filter((name) => values("verdict").includes(name)) };
  for (const [name, list] of Object.entries(options)) {
    form.elements[name].append(...list.map((value) =>
      make("option", { value: JSON.stringify(value) }, name === "unusual" && value === "" ? "as most" : String(value))));
  }
  if (options.unusual.length < 2) document.querySelector("[data-varies=unusual]").hidden = true;

  const wanted = () => {
    const exact = Object.keys(options).filter((name) => form.elements[name].value)
      .map((name) => [name, JSON.parse(form.elements[name].value)]);
    const part = form.elements.initializer.value.trim().toLowerCase();
    return {
      network: (network) => exact.every(([name, value]) => network[name] === value) &&
        network.initializer.toLowerCase().includes(part),
      place: (place) => exact.every(([name, value]) => name === "verdict" || place[name] === value),
    };
  };

  // The map -------------------------------------------------------------------------------------------------

  const map = byId("verdicts");
  const drawMap = (shown) => {
    const fields = shown.filter((network) => network.verdict).map((network) => ({
      number: network.number, initializer: network.initializer, activation: network.activation, place: network.place,
      verdict: network.verdict, sign: verdictOf(network.verdict).sign, forward: network.activation_verdict, backward: network.gradient_verdict,
      agreement: network.agreeing / network.seeds, seeds: `${network.agreeing} of ${network.seeds}`,
    }));
    const healthy = fields.filter((field) => field.verdict === "healthy").length;
    map.setAttribute("aria-label", `Map of verdicts: ${healthy} of ${fields.length} networks are healthy.` +
      " The list under “Compare networks” has the verdict on each.");
    if (!fields.length) return winit.nothing(map, "No network with a verdict matches.");
    const places = new Map();
    for (const { activation, place } of fields) {
      places.set(activation, (places.get(activation) ?? new Set()).add(place));
    }
    const most = Math.max(...[...places.values()].map((of) => of.size));
    winit.draw(map, (width) => {
      const longest = Math.max(...fields.map((field) => field.initializer.length));
      const names = Math.min(winit.names(width), 7 * longest + 10);
      const step = Math.max(6, Math.min(26, Math.floor((width - names - 30) / most)));
      const columns = Math.max(1, Math.min(places.size, Math.floor((width - names) / (most * step + 24))));
      return { definition: data.map, datasets: { networks: fields },
        holes: { "@columns": columns, "@width": { step }, "@height": { step: 20 }, "@names": names, "@signs": step < 13 ? 0 : 1 } };
    }, (view) => {
      view.addEventListener("click", (_, item) => { if (item?.datum && "number" in item.datum) toggle(item.datum.number); });
      mark();
    });
  };
  const mark = () => { winit.views.verdicts?.signal("chosen", chosen).runAsync(); };

  // The networks that are compared --------------------------------------------------------------------------

  let chosen = [];
  const slots = new Map(); // what is compared keeps its colour and its shape
  const choose = (numbers, words = "") => {
    chosen = [...new Set(numbers)].slice(0, MOST_COMPARED);
    for (const number of slots.keys()) if (!chosen.includes(number)) slots.delete(number);
    for (const number of chosen) {
      if (slots.has(number)) continue;
      const taken = new Set(slots.values());
      let slot = 0;
      while (taken.has(slot)) slot++;
      slots.set(number, slot);
    }
    compare();
    byId("said").textContent = `${words}${chosen.length} network${chosen.length === 1 ? " is" : "s are"} compared.`;
  };
  const toggle = (number) => {
    if (chosen.includes(number)) return choose(chosen.filter((each) => each !== number));
    const gone = chosen.length < MOST_COMPARED ? [] : [chosen[0]];
    choose([...chosen.slice(gone.length), number],
      gone.map((each) => `${MOST_COMPARED} at most: ${networks[each].initializer}, ${networks[each].place} was taken away. `).join(""));
  };
  winit.choose = choose;

  /** Those that stand in one place: the best and those tied with it, then one with each other verdict, then the rest. */
  const inPlace = (place) => {
    const there = networks.filter((network) => keys.every((key) => network[key] === place[key]));
    const before = [place.best, ...place.tied];
    const seen = new Map();
    const turn = new Map(there.map((network) => {
      const nth = seen.get(network.verdict) ?? 0;
      seen.set(network.verdict, nth + 1);
      const place = before.indexOf(network.initializer);
      return [network, place >= 0 ? place - before.length : nth];
    }));
    return there.sort((a, b) => turn.get(a) - turn.get(b)).slice(0, MOST_COMPARED).map((network) => network.number);
  };

  const groups = () => {
    const pool = byId("pool").checked;
    const found = new Map();
    for (const number of chosen) {
      const network = networks[number];
      const key = pool ? JSON.stringify([network.initializer, network.activation, network.depth, network.unusual]) : number;
      found.set(key, [...(found.get(key) ?? []), network]);
    }
    const differ = (name) => new Set(chosen.map((number) => networks[number][name])).size > 1;
    const where = pool ? [differ("depth") && "depth", differ("unusual") && "unusual"] : [differ("place") && "place"];
    const telling = ["initializer", differ("activation") && "activation", ...where].filter(Boolean);
    return [...found.values()].map((of) => ({
      of, label: telling.map((name) => name === "depth" ? `${of[0].depth} layers` : of[0][name]).filter(Boolean).join(", "),
      widths: of.map((network) => network.width),
    }));
  };

  const swatch = (colour, shape) => {
    const box = make("span");
    const ink = colour === "@ink" ? "var(--ink)" : colour;
    box.innerHTML = `<svg class="swatch" viewBox="0 0 44 22" role="img" aria-label="${shape.replace("-", " ")}">` +
      `<path d="M0 11H44" stroke="${ink}" stroke-width="3"/><path transform="translate(22 11)" fill="${ink}" d="${data.outlines[shape]}"/></svg>`;
    return box.firstChild;
  };

  const charts = data.charts.map((chart) => {
    const element = make("div", { className: "chart", id: chart.name, role: "img" });
    const title = make("h3", { id: `h-${chart.name}` }, chart.title);
    const caption = make("figcaption", { id: `c-${chart.name}` }, chart.caption);
    element.setAttribute("aria-describedby", caption.id);
    const figure = make("figure", { className: chart.facets ? "figure wide" : "figure" }, winit.saver(element), title, element, caption);
    byId("charts").append(figure);
    return { ...chart, element };
  });

  const has = (chart, rows) => rows.some((row) =>
    row[chart.column] !== null && row[chart.column] !== undefined && (row[chart.column] > 0 || !chart.logarithmic) &&
    (!chart.of || row.of === chart.of));

  /** On an axis that is linear near 0 and logarithmic beyond: a handful of powers of ten; null for such as any axis has. */
  const ticks = (values) => {
    const found = values.filter((value) => value !== null && value !== undefined);
    const [least, most] = [Math.min(...found), Math.max(...found)];
    const decades = Math.ceil(Math.log10(Math.max(-least, most)));
    if (!(decades > 1)) return null;
    const step = Math.max(1, Math.floor(decades / 6));
    const powers = Array.from({ length: Math.floor(decades / step) + 1 }, (_, k) => 10 ** (k * step));
    const all = [...powers.map((power) => -power).reverse(), 0, ...powers];
    return all.filter((tick) => least <= tick && tick <= most);
  };

  const inWords = (chart, rows, labels) => {
    if (chart.data !== "measured") return `${chart.title} of ${labels.join("; ")}.`;
    const ends = labels.map((label) => {
      const own = rows.filter((row) => row.network === label && row[chart.column] !== null);
      return own.length ? `${label} from ${digits(own[0][chart.column])} in layer ${own[0].layer} to ` +
        `${digits(own.at(-1)[chart.column])} in layer ${own.at(-1).layer}` : `${label} without a value`;
    });
    return `${chart.title} by layer: ${ends.join("; ")}.`;
  };

  let rowsShown = [], theoryShown = [];
  const compare = () => {
    const found = groups();
    const labels = found.map(({ label }) => label);
    const named = found.map(({ label, of }) => [label, of.map(({ number }) => winit.profile(number)).filter(Boolean)])
      .filter(([, profiles]) => profiles.length).map(([label, profiles]) => [label, winit.pooled(profiles)]);
    const rows = winit.datasets(named);
    [rowsShown, theoryShown] = [rows.measured, rows.theory];
    const holes = {
      "@labels": labels, "@legend": null,
      "@colours": found.map(({ of }) => data.colours[slots.get(of[0].number) % data.colours.length]),
      "@shapes": found.map(({ of }) => data.shapes[slots.get(of[0].number) % data.shapes.length]),
    };
    for (const chart of charts) {
      if (!has(chart, rows[chart.data])) {
        chart.element.setAttribute("aria-label", `${chart.title}: nothing to draw.`);
        winit.nothing(chart.element, chosen.length ? "Nothing to draw: these networks have no such values." : "Choose a network above.");
        continue;
      }
      chart.element.setAttribute("aria-label", inWords(chart, rows[chart.data], labels));
      winit.draw(chart.element, (width) => {
        const size = !chart.facets ? {} : chart.data === "bars" ? { "@width": Math.max(200, width - 24) }
          : winit.panels(width, named.length, { least: 125, beside: 50 });
        return { definition: chart.definition, datasets: { [chart.data]: rows[chart.data], theory: rows.theory }, holes: { ...holes, ...size, "@ticks": ticks(rows[chart.data].map((row) => row[chart.column])) } };
      });
    }
    byId("chosen").tBodies[0].replaceChildren(...found.map(({ of, label, widths }, k) => {
      const [network] = of;
      const alone = of.length === 1;
      const remove = make("button", { type: "button", className: "small", onclick: () =>
        {
          choose(chosen.filter((number) => !of.some((each) => each.number === number)));
          (byId("chosen").tBodies[0].rows[k]?.querySelector("button") ?? byId("clear")).focus();
        } }, "Remove");
      remove.setAttribute("aria-label", `Remove ${label}`);
      return row(swatch(holes["@colours"][k], holes["@shapes"][k]),
        make("td", { className: "label" }, `${network.initializer}, ${network.activation}, ${network.depth} × ${widths.join(", ")}` +
          (network.unusual ? `, ${network.unusual}` : "")),
        make("td", { className: "number" }, ...(alone ? [verdict(network.verdict), ` ${network.agreeing} of ${network.seeds}`]
          : of.map((each) => make("div", {}, verdict(each.verdict), ` ${each.width}`)))),
        make("td", { className: "number" }, alone ? interval(network.h_std_ratio_mean, network.h_std_ratio_low, network.h_std_ratio_high) : "–"),
        make("td", { className: "number" }, alone ? interval(network.g_std_ratio_mean, network.g_std_ratio_low, network.g_std_ratio_high) : "–"),
        make("td", { className: "number" }, alone ? digits(network.to_theory) : "–"), remove);
    }));
    for (const box of byId("list").querySelectorAll("input")) box.checked = chosen.includes(Number(box.value));
    if (byId("numbers").open) writeNumbers();
    mark();
  };

  const writeNumbers = () => {
    const { measured, predicted } = data.coding;
    const table = byId("numbers").querySelector("table");
    const heads = ["network", "layer", ...measured, ...predicted.map((name) => `${name}, theory`)];
    table.tHead.replaceChildren(make("tr", {}, ...heads.map((name) => make("th", { scope: "col" }, name))));
    const theory = new Map(theoryShown.map((of) => [`${of.layer} ${of.network}`, of]));
    const number = (text) => make("td", { className: "number" }, text);
    table.tBodies[0].replaceChildren(...rowsShown.map((of) => row(make("td", { className: "label" }, of.network), number(of.layer),
      ...measured.map((name) => number(interval(of[name], of[`${name}_low`], of[`${name}_high`]))),
      ...predicted.map((name) => number(digits(theory.get(`${of.layer} ${of.network}`)?.[name]))))));
  };
  byId("numbers").addEventListener("toggle", () => { if (byId("numbers").open) writeNumbers(); });
  byId("clear").addEventListener("click", () => choose([]));
  byId("pool").addEventListener("change", compare);

  // Filters at work -----------------------------------------------------------------------------------------

  const list = (shown) => {
    byId("list").tBodies[0].replaceChildren(...shown.slice(0, MOST_LISTED).map((network) => {
      const box = make("input", { type: "checkbox", value: network.number, checked: chosen.includes(network.number),
        onchange: () => toggle(network.number) });
      box.setAttribute("aria-label", `Show ${network.initializer}, ${network.activation}, ${network.place}`);
      return row(box, make("td", { className: "label" }, network.initializer), network.activation, network.place,
        verdict(network.verdict), `${network.agreeing} of ${network.seeds}`);
    }));
    byId("more").textContent = shown.length > MOST_LISTED ? `The first ${MOST_LISTED} of ${shown.length}: filter to see others.` : "";
  };

  const places = [...byId("answers").tBodies[0].rows].map((element) => ({ element, place: JSON.parse(element.dataset.place) }));
  for (const { element, place } of places) {
    element.querySelector("button").addEventListener("click", () => {
      choose(inPlace(place));
      byId("compare").scrollIntoView();
    });
  }
  const placeOf = (network) => JSON.stringify(keys.map((key) => network[key]));
  const filter = () => {
    const { network, place } = wanted();
    const shown = networks.filter(network);
    const there = new Set(shown.map(placeOf));
    // A page of very many networks does not have all of those that are answered for.
    const complete = networks.length === data.all;
    for (const each of places) {
      each.element.hidden = !(complete ? there.has(placeOf(each.place)) : place(each.place));
    }
    byId("matching").textContent = `${shown.length} of ${networks.length} networks`;
    list(shown);
    drawMap(shown);
  };
  let waiting;
  form.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(filter, 120); });
  form.addEventListener("reset", () => setTimeout(filter));
  form.addEventListener("submit", (event) => event.preventDefault());

  filter();
  choose(data.first ? inPlace(data.first) : []);
  map.closest("figure").prepend(winit.saver(map));
}
