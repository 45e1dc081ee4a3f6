// Reading values off the chart of errors over the run.
{
  const data = embedded("chart");
  const figure = document.getElementById("chart");
  if (figure && data) {
    const svg = figure.querySelector("svg");
    const cursor = svg.querySelector(".cursor");
    const curves = [...svg.querySelectorAll(".curve")];
    const reading = document.getElementById("reading");
    const hint = reading.textContent;

    const read = (event) => {
      const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
      if (point.x < -20 || point.x > 1020) return rest();
      const wanted = (point.x / 1000) * data.whole;
      let row = 0;
      data.steps.forEach((step, i) => {
        if (Math.abs(step - wanted) < Math.abs(data.steps[row] - wanted)) row = i;
      });
      const power = data.high - (point.y / 400) * (data.high - data.low);
      const away = data.errors[row].map((error) => (error > 0 ? Math.abs(Math.log10(error) - power) : Infinity));
      const view = away.indexOf(Math.min(...away));
      const left = (1000 * data.steps[row]) / data.whole;
      cursor.setAttribute("x1", left);
      cursor.setAttribute("x2", left);
      cursor.setAttribute("visibility", "visible");
      figure.classList.add("pointing");
      curves.forEach((curve, i) => curve.classList.toggle("near", i === view));
      reading.textContent = `Step ${data.steps[row].toLocaleString("en")}: ${data.views[view]} ${data.errors[row][view].toPrecision(3)}`;
    };
    const rest = () => {
      cursor.setAttribute("visibility", "hidden");
      figure.classList.remove("pointing");
      reading.textContent = hint;
    };
    svg.addEventListener("pointermove", read);
    svg.addEventListener("pointerdown", read);
    svg.addEventListener("pointerleave", rest);
  }
}
