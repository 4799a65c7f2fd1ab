"use strict";
(() => {
  const ROW = 26;
  const ZOOM_MAX = 12;
  const LABEL_ROOM = 62;

  const element = (tag, text, className) => {
    const node = document.createElement(tag);
    if (text !== undefined) node.textContent = text;
    if (className) node.className = className;
    return node;
  };
  const days = (n, kind = "day") => `${n} ${kind}${n === 1 ? "" : "s"}`;

  function startGantt(root) {
    const data = JSON.parse(root.querySelector("#gantt-data").textContent);
    const frame = root.querySelector(".g-frame");
    const inner = root.querySelector(".g-inner");
    const plot = root.querySelector(".g-plot svg");
    const detail = root.querySelector(".g-detail");
    const index = new Map(data.tasks.map((task, i) => [task.id, i]));
    const parentOf = data.tasks.map(task => index.get(task.parent) ?? -1);
    const names = new Map([...root.querySelectorAll(".g-names .n")].map(n => [Number(n.dataset.i), n]));
    const bars = new Map([...plot.querySelectorAll(".r")].map(r => [Number(r.dataset.i), r]));
    const connections = [...plot.querySelectorAll(".l")].map(node => ({
      node, from: Number(node.dataset.f), to: Number(node.dataset.t), lines: node.querySelectorAll("line"),
    }));
    const folded = new Set();
    let zoom = 1;
    let selected = -1;

    const hiddenRow = i => {
      for (let p = parentOf[i]; p > 0; p = parentOf[p]) if (folded.has(p)) return true;
      return false;
    };

    function layout() {
      const top = new Map();
      let y = 0;
      for (const [i, name] of names) {
        const hidden = hiddenRow(i);
        const bar = bars.get(i);
        name.hidden = hidden;
        bar.toggleAttribute("display", false);
        if (hidden) {
          bar.setAttribute("display", "none");
          continue;
        }
        bar.setAttribute("transform", `translate(0 ${y})`);
        top.set(i, y);
        y += ROW;
        const fold = name.querySelector(".g-fold");
        if (fold) fold.setAttribute("aria-expanded", String(!folded.has(i)));
      }
      plot.setAttribute("height", y);
      for (const { node, from, to, lines } of connections) {
        const shown = top.has(from) && top.has(to);
        node.style.display = shown ? "" : "none";
        if (!shown) continue;
        const y1 = top.get(from) + ROW / 2;
        const y2 = top.get(to) + ROW / 2;
        lines[0].setAttribute("y1", y1);
        lines[0].setAttribute("y2", y2);
        lines[1].setAttribute("y1", y2);
        lines[1].setAttribute("y2", y2);
      }
    }

    function resize() {
      const label = root.querySelector(".g-corner").getBoundingClientRect().width;
      const room = Math.max(frame.clientWidth - label, 260);
      const width = Math.round(room * zoom);
      inner.style.gridTemplateColumns = `${Math.round(label)}px ${width}px`;
      let free = -1;
      for (const tick of root.querySelectorAll(".g-axis .tick")) {
        const at = parseFloat(tick.firstElementChild.getAttribute("x1")) / 100 * width;
        const text = tick.querySelector("text");
        const fits = at >= free && at < width - 30;
        text.setAttribute("display", fits ? "inline" : "none");
        if (fits) free = at + Math.min(LABEL_ROOM, text.textContent.length * 7 + 8);
      }
    }

    function zoomTo(value) {
      const label = root.querySelector(".g-corner").getBoundingClientRect().width;
      const middle = (frame.scrollLeft + (frame.clientWidth - label) / 2) / zoom;
      zoom = Math.min(Math.max(value, 1), ZOOM_MAX);
      resize();
      frame.scrollLeft = middle * zoom - (frame.clientWidth - label) / 2;
    }

    function foldTo(level) {
      folded.clear();
      data.tasks.forEach((task, i) => {
        if (!names.has(i)) return;
        if (level === "phases" && task.kind === "summary") folded.add(i);
        if (level !== "all" && task.kind === "task") folded.add(i);
      });
      layout();
    }

    const label = task => (task.ref ? `${task.ref} ` : "") + task.text;

    function describeLinks(list, id, title) {
      const links = data.links.filter(link => link[id === "target" ? "target" : "source"] === data.tasks[selected].id);
      if (!links.length) return;
      list.append(element("dt", title));
      const cell = element("dd");
      for (const link of links) {
        const other = data.tasks[index.get(id === "target" ? link.source : link.target)];
        const type = ["FS", "SS", "FF", "SF"][Number(link.type)];
        const lag = link.lag ? ` ${link.lag > 0 ? "+" : "−"}${days(Math.abs(link.lag))}` : "";
        const line = element("div", `${other ? label(other) : ""} (${type}${lag})`);
        if (link.why) line.title = link.why;
        cell.append(line);
      }
      list.append(cell);
    }

    function describe() {
      const task = data.tasks[selected];
      const list = element("dl");
      const row = (key, value) => list.append(element("dt", key), element("dd", value));
      row("Dates", `${task.start_date || task.first_date} to ${task.finish_date}`);
      if (task.kind !== "milestone") row("Length", days(task.working_days, "working day"));
      if (task.estimate) row("Estimate", task.estimate.derived ? "derived from the neighbouring tasks" :
        `${task.estimate.min} to ${task.estimate.max}, likely ${task.estimate.realistic}`);
      row("Float", task.critical ? "none: critical" : days(task.total_float));
      describeLinks(list, "target", "Waits for");
      describeLinks(list, "source", "Waited for by");
      detail.replaceChildren(element("h4", label(task)), list);
      if (task.details) detail.append(element("p", task.details));
      if (task.resources) detail.append(element("p", `Needs: ${task.resources.join(", ")}`, "muted"));
      detail.hidden = false;
    }

    function select(i) {
      selected = i;
      const near = new Set([i]);
      for (const { from, to } of connections) {
        if (from === i) near.add(to);
        if (to === i) near.add(from);
      }
      for (const [k, bar] of bars) bar.classList.toggle("on", k === i);
      for (const [k, name] of names) name.classList.toggle("on", k === i);
      for (const { node, from, to } of connections) node.classList.toggle("dim", near.size > 1 && from !== i && to !== i);
      describe();
    }

    root.querySelector(".g-names").addEventListener("click", event => {
      const row = event.target.closest(".n");
      if (!row) return;
      const i = Number(row.dataset.i);
      if (event.target.closest(".g-fold")) {
        folded.has(i) ? folded.delete(i) : folded.add(i);
        layout();
      } else {
        select(i);
      }
    });
    root.querySelector(".g-names").addEventListener("focusin", event => {
      const row = event.target.closest(".n");
      if (row && event.target.matches(".g-name") && event.target.matches(":focus-visible")) select(Number(row.dataset.i));
    });
    plot.addEventListener("click", event => {
      const bar = event.target.closest(".r");
      if (bar) select(Number(bar.dataset.i));
    });
    root.querySelector(".g-tools").addEventListener("click", event => {
      const button = event.target.closest("button");
      if (!button) return;
      if (button.dataset.zoom) zoomTo({ in: zoom * 1.6, out: zoom / 1.6, fit: 1 }[button.dataset.zoom]);
      if (button.dataset.rows) foldTo(button.dataset.rows);
      if (button.dataset.layer) {
        const on = button.getAttribute("aria-pressed") !== "true";
        button.setAttribute("aria-pressed", String(on));
        root.classList.toggle(`show-${button.dataset.layer}`, on);
      }
    });

    root.classList.add("show-critical", "show-float", "show-links");
    root.querySelector(".g-tools").hidden = false;
    foldTo("tasks");
    new ResizeObserver(resize).observe(frame);
    resize();
  }

  document.documentElement.classList.add("scripted");
  for (const root of document.querySelectorAll("[data-gantt]")) startGantt(root);
})();
