// Light and dark: the system's choice until the button is used. Whoever draws on a canvas listens for "theme".
{
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const announce = () => document.dispatchEvent(new Event("theme"));
  document.getElementById("theme").addEventListener("click", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : system.matches;
    root.dataset.theme = dark ? "light" : "dark";
    announce();
  });
  system.addEventListener("change", announce);
}

/** A colour of the page's palette, for canvases. */
const shade = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/** The content of an embedded block of data. */
const embedded = (name) => JSON.parse(document.getElementById(`data-${name}`).textContent);
