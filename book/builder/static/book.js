{
  // A tap in a drawer of contents closes it.
  document.addEventListener("click", (event) => {
    if (event.target.closest("dialog a[href*='#']")) event.target.closest("dialog").close();
  });

  // What is printed is light, and has the parameters.
  const root = document.documentElement;
  let theme, closed;
  addEventListener("beforeprint", () => {
    theme = root.dataset.theme;
    root.dataset.theme = "light";
    closed = [...document.querySelectorAll("details.parameters:not([open])")];
    closed.forEach((one) => (one.open = true));
  });
  addEventListener("afterprint", () => {
    root.dataset.theme = theme;
    closed.forEach((one) => (one.open = false));
  });

  // What a box shows may be too wide for the page: the theme looks for that when the page's size changes.
  document.addEventListener("toggle", () => dispatchEvent(new Event("resize")), true);

  // One switch shows or hides all code; where nobody has used it, a page shows the code that teaches.
  const boxes = [...document.querySelectorAll("details")].filter((one) => one.querySelector(".cell_input"));
  const bar = document.querySelector(".article-header-buttons");
  if (bar && document.querySelector(".cell_input")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "btn btn-sm code-switch";
    const show = (code) => {
      root.dataset.code = code;
      if (code) boxes.forEach((one) => (one.open = code === "shown"));
      button.textContent = code === "shown" ? "Hide all code" : "Show all code";
    };
    button.addEventListener("click", () => {
      show(root.dataset.code === "shown" ? "hidden" : "shown");
      try {
        localStorage.setItem("code", root.dataset.code);
      } catch {} // where nothing can be kept, this page alone changes
    });
    show(root.dataset.code ?? "");
    bar.prepend(button);
  }
}
