// Photographs over renders: a line to drag on each, one choice of what to see for all, and flipping between two.
{
  const cards = document.querySelector(".cards");
  const buttons = [...document.querySelectorAll("[data-mode]")].filter((node) => node.tagName === "BUTTON");
  const flip = document.getElementById("flip");
  const legend = document.querySelector(".difference-only");
  let flipping = null;

  const show = (mode) => {
    cards.dataset.mode = mode;
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.mode === mode && !flipping));
    legend.classList.toggle("on", mode === "difference");
  };
  const rest = () => {
    clearInterval(flipping);
    flipping = null;
    flip.setAttribute("aria-pressed", "false");
  };
  for (const button of buttons) {
    button.addEventListener("click", () => {
      rest();
      show(button.dataset.mode);
    });
  }
  flip.addEventListener("click", () => {
    if (flipping) {
      rest();
      show("slider");
      return;
    }
    flip.setAttribute("aria-pressed", "true");
    flipping = setInterval(() => show(cards.dataset.mode === "photograph" ? "refined" : "photograph"), 700);
    show("photograph");
  });
  for (const compare of document.querySelectorAll(".compare")) {
    compare.querySelector("input").addEventListener("input", (event) => {
      compare.style.setProperty("--at", `${event.target.value}%`);
    });
  }
}
