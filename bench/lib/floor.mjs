// The short benchmark of continuous integration: ratios are recorded, noise does not fail it; half of a goal does.

import { GOALS, reaches, wording } from './goals.mjs';
import { ratiosOf } from './report.mjs';

const ATTEMPTS = 3;
const DISCOUNT = 2;

/**
 * Holds each measure against half of its goal. One round of them that reaches it is enough; `again(key)` adds a round to
 * `run` for one that did not. The verdicts, as lines of TAP.
 */
export async function checkFloor(run, again) {
  const verdicts = [];
  for (const key of Object.keys(run.results)) {
    const goal = GOALS[key]?.ratio;
    if (goal === undefined) continue;
    const reached = () => ratiosOf(run, key, 'netcon').some((ratio) => reaches(goal, ratio, DISCOUNT));
    while (!reached() && ratiosOf(run, key, 'netcon').length < ATTEMPTS) await again(key);
    const seen = ratiosOf(run, key, 'netcon').map((ratio) => ratio.toFixed(2));
    const number = `${reached() ? 'ok' : 'not ok'} ${verdicts.length + 1}`;
    const line = `${number} - ${key}: ${seen.join(', ')} of kernel TCP; the goal is ${wording(goal)}, the floor half of it`;
    verdicts.push({ ok: reached(), line });
  }
  return verdicts;
}
