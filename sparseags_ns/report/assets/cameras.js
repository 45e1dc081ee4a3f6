// The plot of all cameras around the object: as given and refined, joined by a line.
{
  const { cameras, points, reach } = embedded("scene");
  const canvas = document.getElementById("space");
  const figure = canvas.closest("figure");
  const tip = document.getElementById("space-tip");
  const photographs = [...document.querySelectorAll(".compare .photograph")];
  const cloud = [];
  for (let i = 0; i < points.sizes.length; i++) {
    cloud.push({
      at: points.positions.slice(3 * i, 3 * i + 3),
      color: `rgb(${points.colors.slice(3 * i, 3 * i + 3).join(" ")})`,
      size: points.sizes[i],
    });
  }
  let chosen = -1;
  const on = (layer) => figure.querySelector(`[data-layer="${layer}"]`).checked;

  const dots = (space) => {
    const { pen } = space;
    const placed = cloud.map((point) => [space.place(point.at), point]).sort((a, b) => b[0][2] - a[0][2]);
    pen.globalAlpha = 0.85;
    for (const [[x, y, depth], { color, size }] of placed) {
      const side = Math.min(Math.max((1.9 * size * space.focal) / depth, 1.3), 14 * space.zoom);
      pen.fillStyle = color;
      pen.beginPath();
      pen.arc(x, y, side / 2, 0, 7);
      pen.fill();
    }
    pen.globalAlpha = 1;
  };
  /** The photograph on the camera's picture plane; a parallelogram is close enough to its perspective. */
  const picture = (space, corners, image, alpha) => {
    const [, a, b, , d] = corners;
    const { pen, ratio } = space;
    pen.save();
    pen.globalAlpha = alpha;
    const [w, h] = [image.naturalWidth, image.naturalHeight];
    pen.setTransform(
      (ratio * (b[0] - a[0])) / w, (ratio * (b[1] - a[1])) / w,
      (ratio * (d[0] - a[0])) / h, (ratio * (d[1] - a[1])) / h,
      ratio * a[0], ratio * a[1],
    );
    pen.drawImage(image, 0, 0);
    pen.restore();
  };
  const frustum = (space, corners, style) => {
    const [eye, ...rim] = corners;
    space.line(rim, { ...style, close: true });
    for (const corner of rim) space.line([eye, corner], style);
  };
  const color = (tone) => shade({ plain: "accent", found: "good" }[tone] || tone);

  const camera = (space, view) => {
    const { tone, name } = cameras[view];
    const wrong = tone === "found";
    const given = cameras[view].given?.map((point) => space.place(point));
    const refined = cameras[view].refined.map((point) => space.place(point));
    const ink = color(tone);
    const width = view === chosen ? 2.8 : 1.5;
    if (given && on("given")) {
      const was = wrong ? shade("bad") : shade("dim");
      frustum(space, given, { color: was, width: wrong ? 1.5 : 1, dash: [3, 4], alpha: wrong || view === chosen ? 1 : 0.6 });
      space.line([given[0], refined[0]], { color: ink, width: width, alpha: 0.75 });
      space.dot(given[0], 2.5, was);
    }
    if (on("photographs") && photographs[view].complete) picture(space, refined, photographs[view], view === chosen ? 1 : 0.82);
    frustum(space, refined, { color: ink, width, dash: tone === "bad" ? [7, 3] : [] });
    space.dot(refined[0], view === chosen ? 5.5 : 3.6, ink);
    if (on("names") || view === chosen) label(space, refined[0], name, ink);
  };
  const label = ({ pen }, [x, y], text, ink) => {
    const short = text.length > 18 ? `${text.slice(0, 17)}…` : text;
    pen.font = "12px system-ui, sans-serif";
    pen.lineWidth = 4;
    pen.lineJoin = "round";
    pen.strokeStyle = shade("panel");
    pen.strokeText(short, x + 7, y - 6);
    pen.fillStyle = ink;
    pen.fillText(short, x + 7, y - 6);
  };

  const centers = cameras.flatMap(({ given, refined }) => (given ? [given[0], refined[0]] : [refined[0]]));
  const space = new Space(canvas, reach, centers, (space) => {
    space.pen.clearRect(0, 0, space.width, space.height);
    space.floor();
    const order = cameras.map((_, view) => view).sort((a, b) => depth(space, b) - depth(space, a));
    const behind = order.filter((view) => depth(space, view) > space.distance);
    for (const view of behind) camera(space, view);
    if (on("points")) dots(space);
    for (const view of order.filter((view) => !behind.includes(view))) camera(space, view);
  });
  const depth = (space, view) => space.place(cameras[view].refined[0])[2];

  const choose = (view) => {
    chosen = view;
    tip.textContent = "";
    if (view >= 0) {
      const card = document.getElementById(`view-${view}`);
      const name = document.createElement("b");
      name.textContent = cameras[view].name;
      const [verdict, ...rest] = [card.querySelector(".badge"), ...card.querySelectorAll(".about p b")].map((n) => n.textContent);
      tip.append(name, ` ${verdict}, error ${rest[0]}, ${cameras[view].given ? "rotated " : ""}${rest[1]}`);
    }
    space.draw();
  };
  const nearest = (event) => {
    const box = canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    let best = -1;
    let least = event.pointerType === "touch" ? 44 : 30;
    cameras.forEach((camera, view) => {
      for (const corner of [camera.refined[0], middle(camera.refined)]) {
        const [u, v] = space.place(corner);
        const away = Math.hypot(u - x, v - y);
        if (away < least) [best, least] = [view, away];
      }
    });
    return best;
  };
  const middle = (corners) => [0, 1, 2].map((axis) => (corners[1][axis] + corners[3][axis]) / 2);

  canvas.addEventListener("pointermove", (event) => {
    if (space.pointers.size) return;
    const view = nearest(event);
    if (view !== chosen && view >= 0) choose(view);
  });
  canvas.addEventListener("pointerup", (event) => space.moved < 6 && choose(nearest(event)));
  for (const box of figure.querySelectorAll("[data-layer]")) box.addEventListener("change", () => space.draw());
  for (const button of figure.querySelectorAll("[data-zoom]")) {
    button.addEventListener("click", () => space.scale(Number(button.dataset.zoom)));
  }
  figure.querySelector("[data-reset]").addEventListener("click", () => space.reset());
  for (const button of document.querySelectorAll("[data-locate]")) {
    button.addEventListener("click", () => {
      const view = Number(button.dataset.locate);
      const [x, , z] = cameras[view].refined[0];
      space.azimuth = (Math.atan2(x, z) * 180) / Math.PI + 25;
      choose(view);
      document.getElementById("cameras").scrollIntoView();
    });
  }
  Promise.all(photographs.map((image) => image.decode().catch(() => null))).then(() => space.draw());
}
