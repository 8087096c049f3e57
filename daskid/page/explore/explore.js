"use strict";
// The interactive figures: drawn, put in the colors of the page, and linked by the peaks picked.
(async () => {
  const LISTED = 100;
  const byId = (id) => document.getElementById(id);
  const given = JSON.parse(byId("explore-data").textContent);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const section = byId("explore");
  Bokeh.logger.set_level("warn");
  document.body.classList.add("interactive");
  let views;
  try {
    views = await Promise.all(given.figures.map((figure) => Bokeh.embed.embed_item(figure)));
  } catch (error) {
    document.body.classList.remove("interactive");
    throw error;
  }
  given.figures.forEach((figure) => document.body.classList.add("drawn-" + figure.target_id));

  const models = views.flatMap((view) => view.roots.flatMap((root) => [...root.model.references()]));
  const sources = new Map(
    models.filter((model) => model.type === "ColumnDataSource" && model.name)
      .map((model) => [model.name, model]));

  // colors: what models are tagged with, from the style sheet
  const colored = () => {
    const style = getComputedStyle(document.documentElement);
    const scheme = dark.matches ? "dark" : "light";
    for (const model of models) {
      for (const tag of model.tags.filter((tag) => typeof tag === "object")) {
        const entries = tag instanceof Map ? [...tag] : Object.entries(tag);
        for (const [name, value] of entries) {
          const pair = value instanceof Map ? Object.fromEntries(value) : value;
          const set = typeof pair === "string" ? style.getPropertyValue(pair).trim() : pair[scheme];
          model.setv({[name]: set instanceof Map ? Object.fromEntries(set) : set});
        }
      }
    }
  };
  colored();
  dark.addEventListener("change", colored);
  if (matchMedia("(pointer: fine)").matches) {
    models.filter((model) => model.name === "drag").forEach((tool) => { tool.active = true; });
  }

  // selection: peaks picked anywhere are picked everywhere, with their samples
  const picker = byId("explore-peak");
  const column = (name, key) => [...(sources.get(name)?.data[key] ?? [])];
  const where = (name, test) => {
    const source = sources.get(name);
    if (source === undefined) return [];
    return [...Array(source.get_length() ?? 0).keys()].filter(test);
  };
  const mark = (name, indices) => {
    const source = sources.get(name);
    if (source !== undefined) source.selected.indices = indices;
  };
  const plain = (n) => n.toLocaleString("en");
  const list = (indices) => {
    const body = byId("explore-rows");
    body.replaceChildren(...indices.slice(0, LISTED).map((index) => {
      const row = document.createElement("tr");
      given.columns.forEach(([key], place) => {
        const cell = document.createElement(place === 0 ? "th" : "td");
        if (place === 0) cell.scope = "row";
        const text = document.createElement("bdi");
        text.textContent = sources.get("samples").data[key][index];
        cell.append(text);
        row.append(cell);
      });
      return row;
    }));
    byId("explore-list").hidden = indices.length === 0;
  };
  const say = (peaks, indices) => {
    const sizes = column("peaks", "size"), numbers = column("peaks", "number");
    const named = [...peaks].sort((a, b) => a - b).map((c) => {
      const size = sizes[numbers.indexOf(c)];
      return size === undefined ? `${c}` : `${c} (${plain(size)} samples)`;
    });
    const some = indices.length > LISTED ? `, the first ${LISTED} are listed` : "";
    byId("explore-said").textContent = indices.length === 0 && named.length === 0 ? given.nothing
      : `${named.length ? `Peak${named.length > 1 ? "s" : ""} ${named.join(", ")}. ` : ""}` +
        `${plain(indices.length)} of the samples drawn one by one are picked${some}.`;
  };
  let busy = false;
  const show = (peaks, indices, from) => {
    busy = true;
    const numbers = column("peaks", "number"), leaves = column("leaves", "number");
    const pairs = (name) => {
      const a = column(name, "a"), b = column(name, "b");
      return where(name, (i) => peaks.has(a[i]) && peaks.has(b[i]));
    };
    if (from !== "samples") mark("samples", indices);
    if (from !== "peaks") mark("peaks", where("peaks", (i) => peaks.has(numbers[i])));
    if (from !== "leaves") mark("leaves", where("leaves", (i) => peaks.has(leaves[i])));
    ["saddles", "joints", "cells"].filter((name) => name !== from)
      .forEach((name) => mark(name, pairs(name)));
    if (picker !== null) picker.value = peaks.size === 1 ? String([...peaks][0]) : "";
    list(indices);
    say(peaks, indices);
    busy = false;
  };
  const pick = (peaks, from) => {
    const peak = column("samples", "peak"), level = column("samples", "density");
    const own = where("samples", (i) => peaks.has(peak[i]));
    if (level.length) own.sort((i, j) => level[j] - level[i]);
    show(peaks, own, from);
  };
  const PICKS = {
    samples: (indices) => {
      const peak = column("samples", "peak");
      show(new Set(peak.length ? indices.map((i) => peak[i]) : []), indices, "samples");
    },
    ...Object.fromEntries(["peaks", "leaves"].map((name) => [name, (indices) => {
      const number = column(name, "number");
      pick(new Set(indices.map((i) => number[i])), name);
    }])),
    ...Object.fromEntries(["saddles", "joints", "cells"].map((name) => [name, (indices) => {
      const a = column(name, "a"), b = column(name, "b");
      pick(new Set(indices.flatMap((i) => [a[i], b[i]])), name);
    }])),
  };
  // a click changes several sources: the first of these that holds what was hit is meant
  const ORDER = ["peaks", "saddles", "leaves", "joints", "cells", "samples"];
  const changed = new Set();
  const settle = () => {
    const indices = (name) => [...sources.get(name).selected.indices];
    const all = ORDER.filter((name) => changed.has(name));
    changed.clear();
    const hit = all.find((name) => indices(name).length > 0);
    if (hit === undefined) pick(new Set(), "nothing");
    else PICKS[hit](indices(hit));
  };
  for (const name of ORDER) {
    sources.get(name)?.selected.properties.indices.change.connect(() => {
      if (busy) return;
      if (changed.size === 0) queueMicrotask(settle);
      changed.add(name);
    });
  }
  picker?.addEventListener("change", () => {
    pick(new Set(picker.value === "" ? [] : [Number(picker.value)]), "picker");
  });
  byId("explore-clear").addEventListener("click", () => pick(new Set(), "clear"));
  show(new Set(), [], "start");
  section.dataset.ready = "yes";
})();
