{
  // A tap in a drawer of contents closes it; what is printed is light.
  document.addEventListener("click", (event) => {
    if (event.target.closest("dialog a[href*='#']")) event.target.closest("dialog").close();
  });
  const root = document.documentElement;
  let theme;
  addEventListener("beforeprint", () => {
    theme = root.dataset.theme;
    root.dataset.theme = "light";
  });
  addEventListener("afterprint", () => (root.dataset.theme = theme));

  // One switch shows or hides all code; a page on which nobody has used it shows the code that teaches.
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
      } catch {} // where nothing can be kept, the page alone is changed
    });
    show(root.dataset.code ?? "");
    bar.prepend(button);
  }
}
