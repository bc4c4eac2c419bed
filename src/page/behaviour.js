// Sorts tables and filters wrong predictions. The page can be read without it. What is filtered stands in the address, so
// that it can be sent to somebody: report.html#wrong?task=rte&q=film
"use strict";
(() => {
  const make = (tag, properties, ...inside) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...inside);
    return element;
  };

  // Sorting: the heading of a column becomes a button.
  const compare = (a, b) => {
    const [x, y] = [parseFloat(a), parseFloat(b)];
    return Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b) : x - y;
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    const headings = [...table.tHead.rows[0].cells];
    headings.forEach((heading, column) => {
      const button = make("button", { type: "button", className: "sort" }, ...heading.childNodes);
      heading.append(button);
      button.addEventListener("click", () => {
        const down = heading.getAttribute("aria-sort") === "ascending";
        headings.forEach((other) => other.removeAttribute("aria-sort"));
        heading.setAttribute("aria-sort", down ? "descending" : "ascending");
        const rows = [...table.tBodies[0].rows];
        rows.sort((a, b) => (down ? -1 : 1) * compare(a.cells[column].textContent, b.cells[column].textContent));
        table.tBodies[0].append(...rows);
      });
    });
  }

  // Filtering.
  const place = document.getElementById("filter");
  const tables = [...document.querySelectorAll("table.wrong")];
  if (!place || tables.length === 0) return;
  const heads = [...tables[0].tHead.rows[0].cells];
  const filtered = heads.map((cell, at) => at).filter((at) => heads[at].dataset.filter);
  const fields = ["task", ...filtered.map((at) => heads[at].dataset.filter)];
  const rows = tables.flatMap((table) =>
    [...table.tBodies[0].rows].map((row) => {
      const values = [table.dataset.task, ...filtered.map((at) => row.cells[at].textContent)];
      return { row, table, values, text: row.textContent.toLowerCase() };
    }),
  );
  const selects = fields.map((field, at) => {
    const values = [...new Set(rows.map((entry) => entry.values[at]))].sort(compare);
    const options = ["", ...values].map((value, n) => make("option", { value: n ? "=" + value : "" }, n ? value || "(nothing)" : "any"));
    return make("select", { name: field }, ...options);
  });
  const search = make("input", { type: "search", name: "q", placeholder: "words in the text" });
  const clear = make("button", { type: "button" }, "Clear");
  const count = make("output", { className: "shown" });
  const controls = [...selects.map((select) => make("label", {}, select.name, select)), make("label", {}, "search", search)];
  place.append(...controls, clear, count);
  place.setAttribute("role", "search");
  place.setAttribute("aria-label", "Filter the wrong predictions");
  place.hidden = false;

  const show = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const narrowed = words.length > 0 || selects.some((select) => select.value);
    const left = new Map(tables.map((table) => [table, 0]));
    let all = 0;
    for (const { row, table, values, text } of rows) {
      const fits =
        selects.every((select, at) => !select.value || select.value === "=" + values[at]) &&
        words.every((word) => text.includes(word));
      row.hidden = !fits;
      if (fits) {
        all += 1;
        left.set(table, left.get(table) + 1);
      }
    }
    for (const [table, rest] of left) {
      const details = table.closest("details");
      details.hidden = narrowed && rest === 0;
      details.querySelector(".count").textContent = rest;
      if (narrowed) details.open = rest > 0;
    }
    count.textContent = `${all} of ${rows.length} shown${all ? "" : "; Clear shows all of them"}`;
  };
  const toAddress = () => {
    const state = new URLSearchParams();
    for (const select of selects) if (select.value) state.set(select.name, select.value.slice(1));
    if (search.value) state.set("q", search.value);
    const text = state.toString();
    history.replaceState(null, "", "#wrong" + (text && "?" + text));
    show();
  };
  const fromAddress = () => {
    const [id, text] = location.hash.slice(1).split(/\?(.*)/s);
    if (id !== "wrong") return;
    const state = new URLSearchParams(text || "");
    for (const select of selects) select.value = state.has(select.name) ? "=" + state.get(select.name) : "";
    search.value = state.get("q") || "";
    show();
    document.getElementById("wrong").scrollIntoView();
  };
  place.addEventListener("change", toAddress);
  search.addEventListener("input", toAddress);
  clear.addEventListener("click", () => {
    for (const field of [...selects, search]) field.value = "";
    toAddress();
    search.focus();
  });
  addEventListener("hashchange", fromAddress);
  show();
  fromAddress();
})();
