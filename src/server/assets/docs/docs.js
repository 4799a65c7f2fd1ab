"use strict";
(() => {
  const openTarget = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target instanceof HTMLDetailsElement) {
      target.open = true;
      target.scrollIntoView();
    }
  };
  const filter = document.getElementById("filter");
  filter.addEventListener("input", () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = (element) => words.every((word) => element.textContent.toLowerCase().includes(word));
    for (const entry of document.querySelectorAll("nav li")) entry.hidden = !fits(entry);
    for (const entry of document.querySelectorAll("article")) entry.hidden = !fits(entry.querySelector("h3").parentElement);
    for (const entry of document.querySelectorAll("details.schema")) entry.hidden = !fits(entry.querySelector("summary"));
  });
  addEventListener("hashchange", openTarget);
  openTarget();
})();
