"use strict";
(() => {
  const root = document.documentElement;
  const nav = document.querySelector(".contents");
  const parts = [...document.querySelectorAll(".part")];
  const HITS_MAX = 2000;

  // Storage is refused in sandboxed frames; the choice then lasts as long as the page.
  const remember = (key, value) => { try { localStorage.setItem(key, value); } catch { /* sandboxed */ } };
  const recall = key => { try { return localStorage.getItem(key); } catch { return null; } };

  function startTheme() {
    const button = nav.querySelector(".theme");
    const dark = () => root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    const name = () => { button.textContent = dark() ? "Light" : "Dark"; };
    const stored = recall("planexe-report-theme");
    if (stored === "dark" || stored === "light") root.dataset.theme = stored;
    button.addEventListener("click", () => {
      root.dataset.theme = dark() ? "light" : "dark";
      remember("planexe-report-theme", root.dataset.theme);
      name();
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", name);
    button.hidden = false;
    name();
  }

  function startMenu() {
    const button = nav.querySelector(".menu");
    const toggle = open => {
      nav.classList.toggle("open", open);
      button.setAttribute("aria-expanded", String(open));
    };
    button.hidden = false;
    button.addEventListener("click", () => toggle(!nav.classList.contains("open")));
    nav.querySelector(".toc").addEventListener("click", event => { if (event.target.closest("a")) toggle(false); });
    document.addEventListener("keydown", event => { if (event.key === "Escape") toggle(false); });
  }

  // The entry of the section under the upper edge, and within it of its last heading above.
  function startFollowing() {
    const entries = new Map([...nav.querySelectorAll(".toc > li")].map(li => [li.firstElementChild.hash.slice(1), li]));
    let active = null;
    let waiting = false;
    const above = node => node.getBoundingClientRect().top < innerHeight * 0.28;
    function follow() {
      waiting = false;
      const part = parts.findLast(above);
      const entry = part ? entries.get(part.id) : null;
      if (entry !== active) {
        active?.classList.remove("on");
        active?.firstElementChild.removeAttribute("aria-current");
        entry?.classList.add("on");
        entry?.firstElementChild.setAttribute("aria-current", "true");
        active = entry;
        if (entry && nav.scrollHeight > nav.clientHeight) {
          const box = entry.getBoundingClientRect();
          if (box.top < 90 || box.bottom > innerHeight - 40) nav.scrollTop += box.top - innerHeight / 3;
        }
      }
      if (!entry) return;
      const links = [...entry.querySelectorAll("ol a")];
      const current = links.findLast(link => { const target = document.getElementById(link.hash.slice(1)); return target && above(target); });
      for (const link of links) link.classList.toggle("on", link === current);
    }
    addEventListener("scroll", () => {
      if (!waiting) requestAnimationFrame(follow);
      waiting = true;
    }, { passive: true });
    follow();
  }

  const openAround = node => {
    for (let d = node.closest?.("details") ?? node.parentElement?.closest("details"); d; d = d.parentElement.closest("details")) d.open = true;
  };

  function startFinding() {
    const box = nav.querySelector(".find");
    const input = box.querySelector("input");
    const count = box.querySelector(".find-count");
    const painted = "highlights" in CSS;
    let hits = [];
    let at = -1;
    let timer = 0;

    function collect(needle) {
      const found = [];
      for (const part of parts) {
        const walker = document.createTreeWalker(part, NodeFilter.SHOW_TEXT, {
          acceptNode: node => node.parentElement.closest("script, svg, .g-tools, button.copy") ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_ACCEPT,
        });
        while (walker.nextNode()) {
          const text = walker.currentNode.data.toLowerCase();
          for (let i = text.indexOf(needle); i >= 0 && found.length < HITS_MAX; i = text.indexOf(needle, i + needle.length)) {
            const range = new Range();
            range.setStart(walker.currentNode, i);
            range.setEnd(walker.currentNode, Math.min(i + needle.length, walker.currentNode.length));
            found.push(range);
          }
        }
      }
      return found;
    }

    function show(index) {
      if (!hits.length) return;
      at = (index + hits.length) % hits.length;
      const place = hits[at].startContainer.parentElement;
      openAround(place);
      if (painted) CSS.highlights.set("current", new Highlight(hits[at]));
      document.querySelector(".found-here")?.classList.remove("found-here");
      if (!painted) place.classList.add("found-here");
      place.scrollIntoView({ block: "center" });
      count.textContent = `${at + 1} of ${hits.length}${hits.length === HITS_MAX ? " or more" : ""}`;
    }

    function find() {
      const needle = input.value.trim().toLowerCase();
      if (painted) { CSS.highlights.delete("found"); CSS.highlights.delete("current"); }
      document.querySelector(".found-here")?.classList.remove("found-here");
      hits = needle.length > 1 ? collect(needle) : [];
      at = -1;
      if (painted && hits.length) CSS.highlights.set("found", new Highlight(...hits));
      count.textContent = needle.length < 2 ? "" : hits.length ? `${hits.length}${hits.length === HITS_MAX ? " or more" : ""} found, Enter for the next` : "Not found";
    }

    box.hidden = false;
    input.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(find, 150); });
    input.addEventListener("keydown", event => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      clearTimeout(timer);
      if (!hits.length) find();
      show(event.shiftKey ? at - 1 : at + 1);
    });
  }

  const cellText = cell => cell.innerText.trim();
  const numberOf = text => /^[-+]?[\d\s,.]+%?$/.test(text) ? parseFloat(text.replace(/[\s,%]/g, "")) : NaN;

  function sortTable(table, column, header) {
    const body = table.tBodies[0];
    const rows = [...body.rows];
    const down = header.getAttribute("aria-sort") === "ascending";
    const values = rows.map(row => cellText(row.cells[column] ?? row));
    const numeric = values.every(value => !value || value === "–" || !Number.isNaN(numberOf(value)));
    const compare = numeric ? (a, b) => (numberOf(a) || 0) - (numberOf(b) || 0) : (a, b) => a.localeCompare(b, undefined, { numeric: true });
    const order = rows.map((row, i) => [row, values[i]]).sort((a, b) => (down ? -1 : 1) * compare(a[1], b[1]));
    for (const th of table.tHead.rows[0].cells) th.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", down ? "descending" : "ascending");
    body.append(...order.map(([row]) => row));
  }

  async function copyText(text) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      const done = document.execCommand("copy");
      area.remove();
      return done;
    }
  }

  function startTable(frame) {
    const table = frame.querySelector("table");
    if (!table.tHead || !table.tBodies.length) return;
    [...table.tHead.rows[0].cells].forEach((header, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "sort";
      button.append(...header.childNodes);
      header.append(button);
      button.addEventListener("click", () => sortTable(table, column, header));
    });
    const copy = document.createElement("button");
    copy.type = "button";
    copy.className = "copy";
    copy.textContent = "Copy table";
    copy.addEventListener("click", async () => {
      const lines = [...table.rows].map(row => [...row.cells].map(cell => cellText(cell).replace(/\s+/g, " ")).join("\t"));
      copy.textContent = await copyText(lines.join("\n")) ? "Copied" : "Not allowed here";
      setTimeout(() => { copy.textContent = "Copy table"; }, 1500);
    });
    frame.append(copy);
  }

  function startWbs() {
    const tools = document.querySelector(".w-tools");
    if (!tools) return;
    tools.hidden = false;
    tools.addEventListener("click", event => {
      const mode = event.target.dataset?.wbs;
      if (!mode) return;
      for (const node of document.querySelectorAll(".wbs details")) node.open = mode === "open" || node.classList.contains("l2");
    });
  }

  // Sections that were never drawn have a guessed height, so a jump is corrected once they are.
  function startJumping() {
    const settle = () => {
      const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
      if (!target) return;
      openAround(target);
      requestAnimationFrame(() => requestAnimationFrame(() => target.scrollIntoView({ behavior: "instant" })));
    };
    addEventListener("hashchange", settle);
    if (location.hash) settle();
  }

  function startPrinting() {
    let closed = [];
    addEventListener("beforeprint", () => {
      closed = [...document.querySelectorAll("details:not([open])")];
      for (const node of closed) node.open = true;
    });
    addEventListener("afterprint", () => { for (const node of closed) node.open = false; });
  }

  startTheme();
  startMenu();
  startFollowing();
  startFinding();
  for (const frame of document.querySelectorAll(".table")) startTable(frame);
  startWbs();
  startJumping();
  startPrinting();
})();
