// What netcon is to reach, and whether it did.
//
// A goal is about one figure of a measure: `ratio` to kernel TCP in the same round, or an absolute `value` in the
// measure's unit. `atLeast` and `atMost` are inclusive.

export const GOALS = {
  up1: { ratio: { atLeast: 0.4 }, cpuPerGb: { atMost: 0.45 } },
  down1: { ratio: { atLeast: 0.35 }, cpuPerGb: { atMost: 0.5 } },
  up8: { ratio: { atLeast: 0.4 } },
  down8: { ratio: { atLeast: 0.35 } },
  rr: { ratio: { atLeast: 0.9 } },
  connect: { ratio: { atLeast: 0.68 } },
  accept: { ratio: { atLeast: 0.68 } },
  'http-close-client': { ratio: { atLeast: 0.6 } },
  'http-close-server': { ratio: { atLeast: 0.7 } },
  'http-keep-client': { ratio: { atLeast: 0.6 } },
  'http-keep-server': { ratio: { atLeast: 0.62 } },
  'local-bulk': { ratio: { atLeast: 0.7 } },
  'local-rr': { ratio: { atLeast: 1.2 } },
  'load-up': { ratio: { atMost: 5 } },
  'load-down': { ratio: { atMost: 5 } },
  memory: { idleMiB: { atMost: 90 }, kibPerConnection: { atMost: 8 } },
};

/** '>= 0.40' */
export function wording(goal, digits = 2) {
  if (goal === undefined) return '';
  return goal.atLeast === undefined ? `<= ${goal.atMost.toFixed(digits)}` : `>= ${goal.atLeast.toFixed(digits)}`;
}

/** Whether `value` reaches the goal with so much of a discount: 2 takes half of what is wanted, or twice what is allowed. */
export function reaches(goal, value, discount = 1) {
  if (!Number.isFinite(value)) return false;
  return goal.atLeast === undefined ? value <= goal.atMost * discount : value >= goal.atLeast / discount;
}

/** 'met', 'missed', or '' without a goal or a figure. */
export function verdict(goal, value) {
  if (goal === undefined || !Number.isFinite(value)) return '';
  return reaches(goal, value) ? 'met' : '**missed**';
}
