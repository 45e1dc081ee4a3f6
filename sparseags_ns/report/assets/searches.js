// The hypotheses of one search around the object, coloured by how well the photograph fits there.
{
  const searches = embedded("searches");
  const canvas = document.getElementById("hypotheses");
  if (canvas && searches.length) {
    const choice = document.getElementById("which-search");
    const words = document.getElementById("search-words");
    const reach = Math.max(...searches[0].centers.map((at) => Math.hypot(...at)), 0.1);
    let search = searches[0];

    // From dark violet over red to yellow: brightness alone tells the order.
    const stops = [[68, 20, 92], [190, 55, 82], [249, 142, 30], [252, 228, 120]];
    const heat = (share) => {
      const at = Math.min(Math.max(share, 0), 1) * (stops.length - 1);
      const i = Math.min(Math.floor(at), stops.length - 2);
      return `rgb(${stops[i].map((low, c) => Math.round(low + (stops[i + 1][c] - low) * (at - i))).join(" ")})`;
    };
    const star = ({ pen }, [x, y]) => {
      pen.beginPath();
      for (let i = 0; i < 10; i++) {
        const radius = i % 2 ? 5 : 12;
        const angle = (i * Math.PI) / 5 - Math.PI / 2;
        pen.lineTo(x + radius * Math.cos(angle), y + radius * Math.sin(angle));
      }
      pen.closePath();
      pen.fillStyle = shade("good");
      pen.strokeStyle = shade("panel");
      pen.lineWidth = 2;
      pen.stroke();
      pen.fill();
    };
    const space = new Space(canvas, reach, searches[0].centers, (space) => {
      space.pen.clearRect(0, 0, space.width, space.height);
      space.floor();
      space.dot(space.place([0, 0, 0]), 7, shade("line"));
      const low = Math.log(search.scores[0]);
      const high = Math.log(search.scores[search.scores.length - 1]);
      const all = search.centers.map((at, i) => [space.place(at), search.scores[i]]);
      for (const at of search.others) all.push([space.place(at), null]);
      all.sort((a, b) => b[0][2] - a[0][2]);
      for (const [at, score] of all) {
        const near = (0.03 * space.focal * space.reach) / at[2];
        if (score === null) space.dot(at, 4.5, shade("dim"));
        else {
          const share = (high - Math.log(score)) / Math.max(high - low, 1e-9);
          space.dot(at, near * (0.55 + 0.6 * share), heat(share), 0.9);
        }
      }
      const start = space.place(search.start);
      space.pen.strokeStyle = shade("bad");
      space.pen.lineWidth = 2.5;
      space.pen.beginPath();
      space.pen.arc(start[0], start[1], 10, 0, 7);
      space.pen.stroke();
      if (search.chosen !== null) star(space, space.place(search.finalists[search.chosen]));
    });
    const tell = () => {
      const kept = search.chosen === null;
      words.textContent =
        `${search.tried.toLocaleString("en")} poses tried, the best ${search.centers.length} shown. ` +
        (kept ? "The view kept its pose." : `The chosen pose is rotated by ${search.rotation_deg.toFixed(0)}° against the one with which the search began.`);
      space.draw();
    };
    choice.addEventListener("change", () => {
      search = searches[Number(choice.value)];
      tell();
    });
    tell();
  }
}
