// Calculators: forms whose numbers and curves follow from what is entered. The page has the formulas of each in
// `calculators`, by its id: `values` for the elements with `data-value`; `checks`, each of which is at least 0, or its
// reason is said; `panels` of curves. What is hidden without this script is shown by it.
{
  function written(value, form) {
    const [, digits, kind] = /^,?(?:\.(\d+))?([fg%]?)$/.exec(form);
    const options = { style: kind === "%" ? "percent" : "decimal", maximumFractionDigits: 20 };
    if (kind === "g") options.maximumSignificantDigits = Number(digits);
    else if (digits) options.minimumFractionDigits = options.maximumFractionDigits = Number(digits);
    return Number.isFinite(value) ? value.toLocaleString("en-US", options) : "–";
  }

  function wrong(fields, inputs, { checks, reasons }) {
    const field = fields.find((one) => !one.validity.valid);
    if (field) return `${field.labels[0]?.textContent || field.ariaLabel}: ${field.validationMessage}`;
    return reasons[checks(inputs).findIndex((one) => !(one >= 0))];
  }

  // Curves over the whole numbers from 0 to the end, or over as many of them as can be seen.
  function draw(svg, inputs, { place, ends, heights }) {
    const [end, top, ...mark] = ends(inputs);
    const at = (x, y) => `${((100 * x) / end).toFixed(2)} ${(100 - (100 * y) / top).toFixed(2)}`;
    const steps = Math.min(end, 1500);
    const places = Array.from({ length: steps + 1 }, (_, step) => Math.round((step * end) / steps));
    const drawn = places.map((x) => heights({ ...inputs, [place]: x }).map((y) => at(x, y)));
    svg.querySelectorAll("path:not(.mark)").forEach((path, line) => {
      path.setAttribute("d", `M${drawn.map((points) => points[line]).join("L")}`);
    });
    if (mark.length) svg.querySelector(".mark").setAttribute("d", `M${at(...mark)}h0`);
  }

  for (const form of document.querySelectorAll("form.calculator")) {
    const formulas = calculators[form.id];
    const fields = [...form.elements].filter((one) => one.name);
    const [said, reason] = form.querySelector("output").children;
    const update = () => {
      const inputs = Object.fromEntries(fields.map((one) => [one.name, Number(one.value)]));
      reason.textContent = wrong(fields, inputs, formulas) || "";
      said.hidden = Boolean(reason.textContent);
      fields.forEach((one) => one.setAttribute("aria-invalid", !one.validity.valid));
      const values = said.hidden ? [] : formulas.values(inputs);
      for (const one of form.querySelectorAll("[data-value]")) {
        one.textContent = written(values[one.dataset.value], one.dataset.form);
      }
      if (said.hidden) return;
      form.querySelectorAll("svg").forEach((svg, number) => draw(svg, inputs, formulas.panels[number]));
    };
    form.querySelectorAll("td > span + input").forEach((one) => one.previousSibling.remove());
    form.querySelectorAll("[hidden]").forEach((one) => (one.hidden = false));
    form.addEventListener("input", update);
    form.addEventListener("reset", () => setTimeout(update));
    form.addEventListener("submit", (event) => event.preventDefault());
    update();
  }
}
