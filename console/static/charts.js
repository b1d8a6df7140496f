// Draws the charts of a page with uPlot. An element with `data-chart` names the block of JSON that has its
// data: {x: seconds since the epoch, series: [{label, scale: "rate" or "ms", values}],
// marks: [{x, label, kind: "good", "bad" or ""}]}. Each chart has a table with the same numbers beside it.
"use strict";
(() => {
  const COLOURS = ["--accent", "--warn", "--good", "--quiet"];
  const AXES = {
    rate: { side: 3, range: [0, 1], text: (value) => `${Math.round(value * 100)} %` },
    ms: { side: 1, text: (value) => (value >= 1000 ? `${value / 1000} s` : `${value} ms`) },
  };
  const drawn = new Map();

  // Times are shown in UTC, as everywhere on the pages: hours and minutes, seconds if they differ, and the day
  // where it begins.
  function timeTexts(_, times) {
    let day = "";
    const end = times.length > 1 && times[1] - times[0] < 60 ? 19 : 16;
    return times.map((time) => {
      const text = new Date(time * 1000).toISOString();
      const isNewDay = text.slice(5, 10) !== day;
      day = text.slice(5, 10);
      return isNewDay ? `${text.slice(11, end)}\n${day}` : text.slice(11, end);
    });
  }

  // The colour that a custom property stands for now, light or dark.
  function colour(element, property) {
    const probe = document.createElement("span");
    probe.style.color = `var(${property})`;
    element.append(probe);
    const found = getComputedStyle(probe).color;
    probe.remove();
    return found;
  }

  function drawMarks(plot, marks, colours) {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.font = `${12 * devicePixelRatio}px system-ui, sans-serif`;
    marks.forEach((mark, index) => {
      const x = plot.valToPos(mark.x, "x", true);
      if (x < bbox.left || x > bbox.left + bbox.width) return;
      ctx.strokeStyle = ctx.fillStyle = colours[mark.kind || "none"];
      ctx.setLineDash(mark.kind === "bad" ? [] : [4 * devicePixelRatio, 4 * devicePixelRatio]);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      const isNearEdge = x > bbox.left + bbox.width * 0.85;
      ctx.textAlign = isNearEdge ? "right" : "left";
      const row = index % 3;
      ctx.fillText(mark.label, x + (isNearEdge ? -4 : 4), bbox.top + (14 + 14 * row) * devicePixelRatio);
    });
    ctx.restore();
  }

  function options(element, data, height) {
    const text = colour(element, "--quiet"), grid = colour(element, "--line");
    const marks = { good: colour(element, "--good"), bad: colour(element, "--bad"), none: text };
    const scales = [...new Set(data.series.map((each) => each.scale))];
    const font = "12px system-ui, sans-serif";
    return {
      width: element.clientWidth,
      height,
      cursor: { y: false },
      tzDate: (time) => uPlot.tzDate(new Date(time * 1000), "Etc/UTC"),
      legend: { live: true },
      scales: Object.fromEntries([
        ["x", { time: true }],
        ...scales.map((each) => [each, AXES[each].range ? { range: AXES[each].range } : {}]),
      ]),
      axes: [
        { stroke: text, font, space: 70, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1 }, values: timeTexts },
        ...scales.map((each, index) => ({
          scale: each,
          side: AXES[each].side,
          stroke: text,
          font,
          size: 72,
          grid: { show: index === 0, stroke: grid, width: 1 },
          ticks: { stroke: grid, width: 1 },
          values: (_, values) => values.map(AXES[each].text),
        })),
      ],
      series: [
        { label: "UTC", value: (_, time) => (time === null ? "–" : `${new Date(time * 1000).toISOString().slice(0, 19)}Z`) },
        ...data.series.map((each, index) => ({
          label: each.label,
          scale: each.scale,
          stroke: colour(element, COLOURS[index % COLOURS.length]),
          width: 2,
          dash: index === 0 ? undefined : [6, 3],
          spanGaps: false,
          points: { show: data.x.length < 100 },
          value: (_, value) => (value === null ? "–" : AXES[each.scale].text(Math.round(value * 1000) / 1000)),
        })),
      ],
      hooks: { draw: [(plot) => drawMarks(plot, data.marks || [], marks)] },
    };
  }

  function draw(element, isForced) {
    const block = document.getElementById(element.dataset.chart);
    const text = block ? block.textContent : "";
    const known = drawn.get(element);
    if (!text || (known && known.text === text && !isForced)) return;
    if (known) known.plot.destroy();
    const data = JSON.parse(text);
    const values = [data.x, ...data.series.map((each) => each.values)];
    const plot = new uPlot(options(element, data, 260), values, element);
    drawn.set(element, { text, plot });
  }

  function drawAll(isForced) {
    for (const each of drawn.keys()) if (!each.isConnected) drawn.delete(each);
    document.querySelectorAll("[data-chart]").forEach((each) => draw(each, isForced));
  }

  let waiting = null;
  window.addEventListener("resize", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => drawAll(true), 150);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawAll(true));
  document.addEventListener("htmx:after:swap", () => drawAll(false));
  drawAll(false);
})();
