// A plot of ratios as SVG: a group of bars for each measure, a bar for each contender, a mark at the goal.

const COLOURS = {
  netcon: '#1f6feb',
  pasta: '#e16f24',
  'pasta-splice': '#f2b488',
  slirp4netns: '#2da44e',
  gvisor: '#8250df',
};
const OTHER = '#8c959f';
const WIDTH = 900;
const LEFT = 380;
const RIGHT = 60;
const BAR = 9;
const GAP = 12;
const TOP = 48;

const escaped = (text) => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');

/** `groups`: `{ text, goal, bars: [{ name, ratio }] }`. Bars end at the right edge where they would pass it. */
export function plot(title, groups) {
  const most = Math.max(1.1, ...groups.flatMap(({ goal, bars }) => [goal ?? 0, ...bars.map(({ ratio }) => ratio)]));
  const edge = Math.min(1.6, most);
  const x = (ratio) => LEFT + (Math.min(ratio, edge) / edge) * (WIDTH - LEFT - RIGHT);
  const names = [...new Set(groups.flatMap(({ bars }) => bars.map(({ name }) => name)))];
  const body = [];
  let y = TOP;
  for (const { text, goal, bars } of groups) {
    const height = bars.length * BAR;
    body.push(`<text x="${LEFT - 8}" y="${y + height / 2 + 4}" text-anchor="end">${escaped(text)}</text>`);
    bars.forEach(({ name, ratio }, i) => {
      const top = y + i * BAR;
      const width = (x(ratio) - LEFT).toFixed(1);
      body.push(`<rect x="${LEFT}" y="${top}" width="${width}" height="${BAR - 1}" fill="${COLOURS[name] ?? OTHER}"/>`);
      body.push(`<text x="${(x(ratio) + 3).toFixed(1)}" y="${top + BAR - 1}" font-size="8">${ratio.toFixed(2)}</text>`);
    });
    if (goal !== undefined) {
      const at = x(goal).toFixed(1);
      body.push(`<line x1="${at}" x2="${at}" y1="${y - 2}" y2="${y + height + 1}" stroke="#cf222e" stroke-width="2"/>`);
    }
    y += height + GAP;
  }
  const one = x(1).toFixed(1);
  const legend = names.map((name, i) => {
    const at = 16 + i * 125;
    const box = `<rect x="${at}" y="${y + 4}" width="10" height="10" fill="${COLOURS[name] ?? OTHER}"/>`;
    return `${box}<text x="${at + 14}" y="${y + 13}">${escaped(name)}</text>`;
  });
  const height = y + 28;
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="11">`,
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    `<text x="16" y="22" font-size="14">${escaped(title)}</text>`,
    `<line x1="${one}" x2="${one}" y1="${TOP - 12}" y2="${y - GAP}" stroke="#24292f" stroke-dasharray="3 3"/>`,
    `<text x="${one}" y="${TOP - 16}" text-anchor="middle">kernel TCP</text>`,
    ...body,
    ...legend,
    '</svg>',
  ].join('\n')}\n`;
}
