"use strict";
// The data of the page, and how profiles become the rows of charts, as winit/findings/profiles.py has it.
const winit = { views: {} };

winit.data = JSON.parse(document.getElementById("report-data").textContent);
winit.networks = winit.data.networks.rows.map((row) =>
  Object.fromEntries(winit.data.networks.columns.map((name, k) => [name, row[k]])));

{
  const { levels, decades, reach, bins, measured, predicted } = winit.data.coding;
  let lines = null;
  const parsed = new Map();

  /** The profile of a network; null where none of its cells has finished. */
  winit.profile = (number) => {
    lines ??= document.getElementById("report-profiles").textContent.split("\n");
    if (!parsed.has(number)) parsed.set(number, lines[number] ? JSON.parse(lines[number]) : null);
    return parsed.get(number);
  };

  const level = (letter) => levels.indexOf(letter) / (levels.length - 1);

  const byLayer = (network, profile, columns, prefix) => {
    const there = columns.filter((name) => prefix + name in profile);
    return !there.length ? [] : profile.layer.map((layer, k) => {
      const row = { network, layer };
      for (const name of there) row[name] = profile[prefix + name][k];
      return row;
    });
  };

  const bars = (network, profile) => {
    const [low, high] = profile.range;
    const step = (high - low) / bins;
    return profile.binned.flatMap((layer, k) => [...profile.bars[k]].flatMap((letter, slot) => {
      const bin = slot - 1; // the first slot is what lies below the range
      return letter === levels[0] ? [] : [{
        network, layer, bin, from: bin >= 0 ? low + step * bin : null, to: bin < bins ? low + step * (bin + 1) : null,
        beyond: bin < 0 || bin >= bins, share: level(letter),
      }];
    }));
  };

  const magnitudes = (network, profile) => {
    const height = reach * profile.layer.at(-1) / profile.binned.length;
    return ["h", "g"].flatMap((of) => profile.binned.flatMap((layer, k) => {
      const [start, letters] = profile[of][k];
      if (!letters) return [];
      return [...(levels[0] + letters + levels[0])].map((letter, j) => ({
        network, of, layer, exponent: decades[0] - 1.5 + start + j, top: layer - height * level(letter),
      }));
    }));
  };

  /** The rows of layer charts, of profiles with names: [[name, profile], …]. */
  winit.datasets = (named) => {
    const found = { measured: [], theory: [], bars: [], magnitudes: [] };
    const ends = measured.flatMap((name) => [name, `${name}_low`, `${name}_high`]);
    for (const [network, profile] of named) {
      found.measured.push(...byLayer(network, profile, ends, ""));
      found.theory.push(...byLayer(network, profile, predicted, "theory_"));
      if ("bars" in profile) {
        found.bars.push(...bars(network, profile));
        found.magnitudes.push(...magnitudes(network, profile));
      }
    }
    return found;
  };

  const over = (values, combine) => {
    const there = values.filter((value) => value !== null && value !== undefined);
    return there.length ? combine(there) : null;
  };
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

  /** Profiles of several widths as one: the mean of their means, the spread of all their seeds. */
  winit.pooled = (profiles) => {
    if (profiles.length === 1) return profiles[0];
    const [first] = profiles;
    const pooled = { ...first };
    // A histogram is of one network.
    for (const name of ["range", "binned", "bars", "h", "g"]) delete pooled[name];
    const each = (name, k) => profiles.map((profile) => profile[name]?.[k]);
    for (const name of measured) {
      const ends = { low: Math.min, high: Math.max };
      pooled[name] = first.layer.map((_, k) => over(each(name, k), mean));
      for (const [end, combine] of Object.entries(ends)) {
        pooled[`${name}_${end}`] = first.layer.map((_, k) =>
          over([...each(name, k), ...each(`${name}_${end}`, k)], (values) => combine(...values)));
      }
    }
    for (const name of predicted) {
      if (profiles.every((profile) => `theory_${name}` in profile)) {
        pooled[`theory_${name}`] = first.layer.map((_, k) => over(each(`theory_${name}`, k), mean));
      } else delete pooled[`theory_${name}`];
    }
    return pooled;
  };
}
