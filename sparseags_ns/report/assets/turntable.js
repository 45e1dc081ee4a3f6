// The object on its turntable: frames of one picture, turned by dragging, keys, a slider, or by themselves.
{
  const { size, columns, azimuths, loops, cameras } = embedded("turntable");
  const tones = embedded("scene").cameras.map((camera) => camera.tone);
  const figure = document.getElementById("turntable");
  const canvas = figure.querySelector("canvas");
  const sprite = document.getElementById("sprite");
  const slider = document.getElementById("angle");
  const spin = document.getElementById("spin");
  const azimuth = document.getElementById("azimuth");
  const count = azimuths.length;
  const pixels = canvas.getContext("2d");
  let at = 0;
  let direction = 1;
  let timer = null;

  const dial = figure.querySelector(".dial svg");
  const svg = (name, attributes) => {
    const node = document.createElementNS(dial.namespaceURI, name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    return node;
  };
  // Seen from above: azimuth 0 is towards the bottom of the dial, 90 degrees to the right.
  const onDial = (degrees, radius) => {
    const angle = (degrees * Math.PI) / 180;
    return [radius * Math.sin(angle), radius * Math.cos(angle)];
  };
  dial.append(svg("circle", { class: "rim", r: 48 }), svg("circle", { class: "core", r: 15 }));
  cameras.forEach((degrees, view) => {
    const [cx, cy] = onDial(degrees, 48);
    dial.append(svg("circle", { class: `camera ${tones[view]}`, cx, cy, r: 6 }));
  });
  const eye = svg("path", { class: "eye", d: "M0 30 L-8 45 L8 45 Z" });
  dial.append(eye);

  const draw = () => {
    const frame = ((Math.round(at) % count) + count) % count;
    pixels.clearRect(0, 0, size, size);
    pixels.drawImage(sprite, (frame % columns) * size, Math.floor(frame / columns) * size, size, size, 0, 0, size, size);
    slider.value = frame;
    const degrees = ((azimuths[frame] % 360) + 360) % 360;
    azimuth.textContent = `${Math.round(degrees)}°`;
    eye.setAttribute("transform", `rotate(${-degrees})`);
  };
  const turn = (frames) => {
    at += frames;
    if (loops) at = ((at % count) + count) % count;
    else at = Math.min(Math.max(at, 0), count - 1);
    draw();
  };
  const stop = () => {
    clearInterval(timer);
    timer = null;
    spin.setAttribute("aria-pressed", "false");
    spin.textContent = "Spin";
  };
  const start = () => {
    spin.setAttribute("aria-pressed", "true");
    spin.textContent = "Stop";
    timer = setInterval(() => {
      if (!loops && (at + direction < 0 || at + direction > count - 1)) direction = -direction;
      turn(direction);
    }, 90);
  };

  let held = null;
  canvas.addEventListener("pointerdown", (event) => {
    held = event.clientX;
    canvas.setPointerCapture(event.pointerId);
    stop();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (held === null) return;
    // The camera goes the other way than the hand, so that the object follows it.
    turn((-(event.clientX - held) / canvas.clientWidth) * count * (loops ? 0.8 : 1));
    held = event.clientX;
  });
  for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => (held = null));
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    stop();
    at = Math.round(at);
    turn(step);
  });
  slider.addEventListener("input", () => {
    stop();
    at = Number(slider.value);
    draw();
  });
  spin.addEventListener("click", () => (timer ? stop() : start()));
  sprite.decode().then(() => {
    draw();
    if (!matchMedia("(prefers-reduced-motion: reduce)").matches) start();
  });
  document.addEventListener("visibilitychange", () => document.hidden && stop());
}
