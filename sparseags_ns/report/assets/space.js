// A small 3D plot on a canvas: turned by dragging, zoomed by pinching, keys or ctrl and the wheel.
// Frame: the run's world around the object, +y up. Azimuth 0 looks from +z, 90 degrees from +x.

class Space {
  /** `paint(space)` draws with `place`; `reach` is how far from the middle things are; `fit` are points to be in sight. */
  constructor(canvas, reach, fit, paint) {
    const flat = fit.map(([x, , z]) => Math.hypot(x, z)).sort((a, b) => a - b);
    const heights = fit.map(([, y]) => y).sort((a, b) => a - b);
    const at = (share) => heights[Math.round(share * (heights.length - 1))];
    // Looked at is the middle between the object and the heights of most cameras.
    const middle = (Math.min(at(0.05), 0) + Math.max(at(0.95), 0)) / 2;
    const high = fit.map(([, y]) => Math.abs(y - middle)).sort((a, b) => a - b);
    // A camera that was thrown far away must not make all the others small.
    const most = (sorted) => Math.min(sorted[sorted.length - 1], 2 * sorted[Math.floor(sorted.length / 2)]) || reach;
    Object.assign(this, { canvas, reach, middle, wide: most(flat), high: most(high), paint, azimuth: 35, elevation: 24, zoom: 1, pointers: new Map(), moved: 0 });
    this.pen = canvas.getContext("2d");
    this.listen();
    new ResizeObserver(() => this.draw()).observe(canvas);
    document.addEventListener("theme", () => this.draw());
  }

  listen() {
    const { canvas, pointers } = this;
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      pointers.set(event.pointerId, [event.clientX, event.clientY]);
      this.moved = 0;
    });
    canvas.addEventListener("pointermove", (event) => {
      const before = pointers.get(event.pointerId);
      if (!before) return;
      const now = [event.clientX, event.clientY];
      if (pointers.size === 2) {
        const other = [...pointers].find(([id]) => id !== event.pointerId)[1];
        const apart = (a) => Math.hypot(a[0] - other[0], a[1] - other[1]);
        this.scale(apart(now) / Math.max(apart(before), 1));
      } else {
        this.turn(-(now[0] - before[0]) * 0.45, (now[1] - before[1]) * 0.45);
      }
      this.moved += Math.abs(now[0] - before[0]) + Math.abs(now[1] - before[1]);
      pointers.set(event.pointerId, now);
    });
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, (event) => pointers.delete(event.pointerId));
    canvas.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      this.scale(Math.exp(-event.deltaY * 0.004));
    }, { passive: false });
    canvas.addEventListener("keydown", (event) => {
      const turn = { ArrowLeft: [-6, 0], ArrowRight: [6, 0], ArrowUp: [0, 6], ArrowDown: [0, -6] }[event.key];
      const factor = { "+": 1.15, "=": 1.15, "-": 0.87 }[event.key];
      if (!turn && !factor) return;
      event.preventDefault();
      if (turn) this.turn(...turn);
      else this.scale(factor);
    });
  }

  turn(azimuth, elevation) {
    this.azimuth += azimuth;
    this.elevation = Math.min(Math.max(this.elevation + elevation, -89), 89);
    this.draw();
  }

  scale(factor) {
    this.zoom = Math.min(Math.max(this.zoom * factor, 0.4), 8);
    this.draw();
  }

  reset() {
    Object.assign(this, { azimuth: 35, elevation: 24, zoom: 1 });
    this.draw();
  }

  draw() {
    const ratio = Math.min(devicePixelRatio || 1, 2);
    const { clientWidth, clientHeight } = this.canvas;
    if (!clientWidth) return;
    this.width = clientWidth;
    this.height = clientHeight;
    this.canvas.width = Math.round(clientWidth * ratio);
    this.canvas.height = Math.round(clientHeight * ratio);
    this.pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.ratio = ratio;
    const a = (this.azimuth * Math.PI) / 180;
    const e = (this.elevation * Math.PI) / 180;
    this.axes = [Math.sin(a), Math.cos(a), Math.sin(e), Math.cos(e)];
    this.distance = 3.6 * this.reach;
    const [, , se, ce] = this.axes.map(Math.abs);
    const fits = Math.min((0.42 * this.width) / this.wide, (0.4 * this.height) / (ce * this.high + se * this.wide));
    this.focal = this.zoom * this.distance * fits;
    this.paint(this);
  }

  /** Pixels and distance of a point; near points are larger by `focal / distance`. */
  place([x, y, z]) {
    const [sa, ca, se, ce] = this.axes;
    const across = ca * x - sa * z;
    const outward = sa * x + ca * z;
    const up = y - this.middle;
    const depth = this.distance - (ce * outward + se * up);
    const factor = this.focal / Math.max(depth, 0.05 * this.reach);
    return [this.width / 2 + across * factor, 0.45 * this.height - (ce * up - se * outward) * factor, depth];
  }

  line(points, { color, width = 1.4, dash = [], alpha = 1, close = false }) {
    const { pen } = this;
    pen.globalAlpha = alpha;
    pen.strokeStyle = color;
    pen.lineWidth = width;
    pen.lineJoin = "round";
    pen.setLineDash(dash);
    pen.beginPath();
    points.forEach(([x, y], i) => (i ? pen.lineTo(x, y) : pen.moveTo(x, y)));
    if (close) pen.closePath();
    pen.stroke();
    pen.setLineDash([]);
    pen.globalAlpha = 1;
  }

  dot([x, y], radius, color, alpha = 1) {
    const { pen } = this;
    pen.globalAlpha = alpha;
    pen.fillStyle = color;
    pen.beginPath();
    pen.arc(x, y, radius, 0, 7);
    pen.fill();
    pen.globalAlpha = 1;
  }

  /** A circle on the ground through the cameras' mean distance, for orientation. */
  floor() {
    for (const part of [0.5, 1]) {
      const ring = [];
      for (let i = 0; i <= 72; i++) {
        const angle = (i * Math.PI) / 36;
        ring.push(this.place([part * this.reach * Math.sin(angle), 0, part * this.reach * Math.cos(angle)]));
      }
      this.line(ring, { color: shade("line"), width: 1 });
    }
  }
}
