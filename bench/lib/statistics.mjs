// Of figures: medians, spreads, ratios.

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/** `{ low, middle, high }` of the values that are there, or undefined if none is. */
export function spread(values) {
  const known = values.filter((value) => Number.isFinite(value));
  if (known.length === 0) return undefined;
  return { low: Math.min(...known), middle: median(known), high: Math.max(...known) };
}

/** Each round's figure in terms of the base's figure of the same round. */
export function ratios(values, base) {
  return values.map((value, round) => value / base[round]);
}

/** 'median (lowest - highest)' */
export function cell(values, digits) {
  const all = spread(values);
  if (all === undefined) return 'not run';
  const [low, middle, high] = [all.low, all.middle, all.high].map((value) => value.toFixed(digits));
  return `${middle} (${low} - ${high})`;
}
