// What a link leads to, and what curves are worth: shown beside the pointer or the focus. A preview stays while the
// pointer is on it, and Escape closes it.
{
  const bubble = document.createElement("div");
  bubble.className = "preview";
  bubble.setAttribute("role", "tooltip");
  let link, timer;

  function show(content, box) {
    clearTimeout(timer);
    bubble.replaceChildren(...content);
    document.body.append(bubble);
    const { offsetWidth: width, offsetHeight: height } = bubble;
    const below = box.bottom + 8 + height < innerHeight || box.top < height + 8;
    const left = Math.min(box.left, document.documentElement.clientWidth - width - 8);
    bubble.style.left = `${scrollX + Math.max(8, left)}px`;
    bubble.style.top = `${scrollY + (below ? box.bottom + 8 : box.top - height - 8)}px`;
  }

  function hide() {
    clearTimeout(timer);
    bubble.remove();
    document.querySelectorAll(".drawing .at").forEach((one) => one.remove());
    link?.removeAttribute("aria-describedby");
    link = null;
  }

  const later = (act, wait = 250) => {
    clearTimeout(timer);
    timer = setTimeout(act, wait);
  };

  // A copy of the figure, table or formula of this page that a link leads to, or the words of a reference.
  function preview(from) {
    if (from.dataset.preview) return Object.assign(document.createElement("p"), { textContent: from.dataset.preview });
    const here = new URL(document.baseURI).pathname === from.pathname && from.hash;
    const found = here && document.getElementById(decodeURIComponent(from.hash.slice(1)));
    const copy = found?.closest("figure, table, div.math")?.cloneNode(true);
    copy?.querySelectorAll("[id]").forEach((one) => one.removeAttribute("id"));
    copy?.querySelectorAll(".headerlink, .values, .key").forEach((one) => one.remove());
    copy?.querySelectorAll("[tabindex]").forEach((one) => one.removeAttribute("tabindex"));
    copy?.removeAttribute("id");
    return copy;
  }

  function open(from) {
    const content = preview(from);
    if (!content) return;
    hide();
    link = from;
    show([content], from.getBoundingClientRect());
    const words = bubble.querySelector("figcaption, caption") || bubble;
    bubble.removeAttribute("id");
    words.id = "preview";
    link.setAttribute("aria-describedby", "preview");
  }

  for (const one of document.querySelectorAll(".bd-article a.reference.internal[href*='#']")) {
    if (one.title) one.dataset.preview = one.title; // a work that is cited
    one.removeAttribute("title");
    one.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && later(() => open(one)));
    one.addEventListener("pointerleave", () => later(hide));
    one.addEventListener("focus", () => one.matches(":focus-visible") && open(one));
    one.addEventListener("blur", hide);
  }
  bubble.addEventListener("pointerenter", () => clearTimeout(timer));
  bubble.addEventListener("pointerleave", () => later(hide));
  addEventListener("keydown", (event) => event.key === "Escape" && hide());

  // Where the points of a curve are, in the drawing's own units.
  const points = (curve) =>
    [...curve.querySelector("path").getAttribute("d").matchAll(/[ML](-?[\d.]+) (-?[\d.]+)/g)].map(([, x, y]) => [+x, +y]);

  for (const values of document.querySelectorAll(".values")) {
    values.addEventListener("toggle", () => dispatchEvent(new Event("resize"))); // the theme looks what is scrolled
    const box = values.previousElementSibling.previousElementSibling; // before its key
    follow(box.querySelector("svg"), values);
    if (box.matches(".narrow")) follow(box.previousElementSibling.querySelector("svg"), values);
  }

  function follow(svg, values) {
    const curves = [...svg.querySelectorAll(".curve")];
    const panels = [...values.querySelectorAll("table")].map((table) => {
      const rows = [...table.tBodies[0].rows].map((row) => [...row.cells].map((cell) => cell.textContent));
      const heads = [...table.tHead.rows[0].cells].map((cell) => cell.textContent);
      const drawn = curves.splice(0, heads.length - 1).map(points);
      return { heads, rows, drawn: drawn.every((one) => one.length === rows.length) ? drawn : [], y: table.caption.textContent };
    });

    function pick(event) {
      const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
      const beside = ({ drawn: [one] }) => (one ? Math.max(one[0][0] - at.x, at.x - one.at(-1)[0]) : Infinity);
      const heights = ({ drawn }) => drawn.flat().map(([, y]) => y);
      const above = (one) => Math.max(Math.min(...heights(one)) - at.y, at.y - Math.max(...heights(one)));
      const [panel] = panels.filter((one) => beside(one) <= 10).sort((one, other) => above(one) - above(other));
      svg.querySelectorAll(".at").forEach((one) => one.remove());
      if (!panel) return hide();
      const xs = panel.drawn[0].map(([x]) => Math.abs(x - at.x));
      const row = xs.indexOf(Math.min(...xs));
      for (const curve of panel.drawn) {
        const dot = document.createElementNS("http://www.w3.org/2000/svg", "circle");
        const [cx, cy] = curve[row];
        for (const [name, value] of Object.entries({ cx, cy, r: 3, class: "at" })) dot.setAttribute(name, value);
        svg.append(dot);
      }
      const [x, ...ys] = panel.rows[row];
      const lines = [`${panel.heads[0]} ${x}: ${panel.y}`, ...ys.map((y, place) => `${panel.heads[place + 1]} ${y}`)];
      const content = lines.map((line) => Object.assign(document.createElement("div"), { textContent: line }));
      const [left, top] = [event.clientX + 16, event.clientY];
      show(content, { left, top, bottom: top });
    }

    svg.addEventListener("pointermove", pick);
    svg.addEventListener("pointerdown", pick);
    svg.addEventListener("pointerleave", () => later(hide));
  }
}
