// The search page: sections that have all words, those first whose titles have them.
const plain = (text) =>
  text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase().replace(/(\d),(?=\d{3})/g, "$1");

function find(query) {
  const words = plain(query).match(/[\p{L}\p{N}.]+/gu) || [];
  const phrase = words.join(" ");
  const has = (text, part) => (" " + text).search(new RegExp(`[^\\p{L}\\p{N}]${part.replaceAll(".", "\\.")}`, "u")) >= 0;
  const found = [];
  if (!words.length) return found;
  for (const [file, sections] of Object.entries(PAGES)) {
    const pageTitle = sections[0][1];
    for (const [anchor, title, text] of sections) {
      const [head, body] = [plain(title), plain(text)];
      if (!words.every((word) => has(head, word) || has(body, word))) continue;
      let score = words.filter((word) => has(head, word)).length / words.length;
      if (has(head, phrase)) score += anchor ? 2 : 3;
      if (has(body, phrase)) score += 0.5;
      score += Math.min(body.split(phrase).length, 20) / 100;
      found.push({ score, href: file, anchor, title, pageTitle, text });
    }
  }
  return found.sort((a, b) => b.score - a.score);
}

// Words around the first place that is found, with all that is found marked.
function excerpt(text, query) {
  const spelled = query.trim().split(/\s+/).map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  const numbers = spelled.map((word) => (/^[\d,]+$/.test(word) ? word.replaceAll(",", "").split("").join(",?") : word));
  const whole = text.search(new RegExp(numbers.join("\\s+"), "iu"));
  const any = new RegExp(`(?<![\\p{L}\\p{N}])(${numbers.join("|")})`, "giu");
  const place = Math.max(0, (whole >= 0 ? whole : text.search(any)) - 80);
  const shown = document.createElement("p");
  let part = text.slice(place, place + 240);
  if (place) part = "… " + part.replace(/^\S*\s/, "");
  if (place + 240 < text.length) part = part.replace(/\s\S*$/, " …");
  part.split(any).forEach((piece, index) => {
    const node = document.createElement(index % 2 ? "mark" : "span");
    node.textContent = piece;
    shown.append(node);
  });
  return shown;
}

function show(query) {
  const found = find(query);
  const list = document.createElement("ol");
  for (const { href, anchor, title, pageTitle, text } of found.slice(0, 50)) {
    const [item, link] = [document.createElement("li"), document.createElement("a")];
    link.href = document.documentElement.dataset.content_root + href + (anchor && `#${anchor}`);
    link.textContent = anchor ? `${title} – ${pageTitle}` : title;
    item.append(link, excerpt(text, query));
    list.append(item);
  }
  const said = document.createElement("p");
  said.textContent = found.length ? `${found.length} sections with “${query}”` : `Nothing has “${query}”.`;
  document.getElementById("search-results").replaceChildren(said, list);
}

const asked = new URLSearchParams(location.search).get("q");
if (asked) {
  document.querySelectorAll("input[name=q]").forEach((field) => (field.value = asked));
  show(asked);
}
