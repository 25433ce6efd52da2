// A table of the class "sortable" is sorted by a column's head and filtered by columns that say
// data-filter. Without this script it is whole, in the order in which it was written. What a reader
// chose stands in the page's address: #?network=lenet5&sort=-minutes.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  const names = heads.map((head) => head.textContent.trim());
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const unit = table.dataset.unit || "rows";
  const chosen = new URLSearchParams(location.hash.startsWith("#?") ? location.hash.slice(2) : "");

  const make = (tag, properties, ...children) => {
    const node = Object.assign(document.createElement(tag), properties);
    node.append(...children);
    return node;
  };
  const words = (cell) => cell.textContent.trim();
  const number = (cell) => parseFloat(words(cell).replaceAll(",", "").replace("−", "-"));
  // Several links in a cell are several values.
  const values = (cell) => {
    const links = [...cell.querySelectorAll("a")];
    return links.length ? links.map(words) : [words(cell)];
  };

  // What is shown: the rows that have each chosen value and each written word.
  const form = make("form", { className: "filters" });
  const count = make("output", { className: "count" }); // read aloud when it changes
  const rest = make("button", { type: "button" }, "show the rest");
  const fields = new Map();
  let order = rows; // as the rows are sorted
  let most = 100; // rows that are shown at first

  const remember = () => {
    const filled = [...chosen].filter(([, value]) => value);
    const fragment = filled.length ? `#?${new URLSearchParams(filled)}` : "";
    history.replaceState(null, "", location.href.split("#")[0] + fragment);
  };

  const filter = () => {
    const sought = (chosen.get("words") || "").toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of order) {
      const text = row.textContent.toLowerCase();
      const fits = sought.every((word) => text.includes(word)) &&
        heads.every((_, index) => !fields.has(names[index]) || !chosen.get(names[index]) ||
          values(row.cells[index]).includes(chosen.get(names[index])));
      row.hidden = !fits || shown >= most;
      shown += fits;
    }
    rest.hidden = shown <= most;
    const all = `${shown.toLocaleString("en")} of ${rows.length.toLocaleString("en")} ${unit}`;
    count.textContent = rest.hidden ? all : `${all}, the first ${most} shown`;
  };

  const sort = () => {
    const asked = chosen.get("sort") || "";
    const falling = asked.startsWith("-");
    const column = names.indexOf(asked.replace(/^-/, ""));
    heads.forEach((head, index) => {
      if (index === column) head.setAttribute("aria-sort", falling ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
    const sorted = [...rows];
    if (column >= 0) {
      const isNumber = heads[column].classList.contains("n");
      const key = new Map(rows.map((row) => [row, isNumber ? number(row.cells[column]) : words(row.cells[column])]));
      const compare = (a, b) => isNumber ? a - b : a.localeCompare(b, "en", { numeric: true });
      const last = (value) => Number.isNaN(value) || value === "–" || value === "";
      sorted.sort((one, other) => {
        const [a, b] = [key.get(one), key.get(other)];
        return last(a) - last(b) || (last(a) ? 0 : compare(a, b) * (falling ? -1 : 1));
      });
    }
    order = sorted;
    body.append(...sorted);
    filter();
  };

  const choose = (name, value) => {
    chosen.set(name, value);
    remember();
  };

  heads.forEach((head, index) => {
    const button = make("button", { type: "button" }, ...head.childNodes);
    button.addEventListener("click", () => {
      choose("sort", chosen.get("sort") === names[index] ? `-${names[index]}` : names[index]);
      sort();
    });
    head.append(button);
    if (!("filter" in head.dataset)) return;
    const known = [...new Set(rows.flatMap((row) => values(row.cells[index])))];
    known.sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
    const options = known.map((value) => make("option", { value }, value));
    const field = make("select", { name: names[index] }, make("option", { value: "" }, "any"), ...options);
    fields.set(names[index], field);
    form.append(make("label", {}, names[index], field));
  });
  const search = make("input", { type: "search", name: "words" });
  fields.set("words", search);
  form.append(make("label", {}, "words", search), make("button", { type: "reset" }, "show all"), count);

  form.setAttribute("aria-label", `Filter the ${unit}`);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", (event) => {
    choose(event.target.name, event.target.value);
    filter();
  });
  rest.addEventListener("click", () => {
    most = Infinity;
    filter();
  });
  form.addEventListener("reset", () => {
    fields.forEach((_, name) => chosen.delete(name));
    remember();
    filter();
  });
  fields.forEach((field, name) => (field.value = chosen.get(name) || ""));
  table.parentElement.before(form);
  table.parentElement.after(rest);
  sort();
}
