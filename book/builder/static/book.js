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
}
