// Medians, spread and ratios, as a Markdown table between two markers of a page.

import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release } from 'node:os';
import { MEASURES } from './measures.mjs';

export function describeMachine() {
  const all = cpus();
  return { kernel: release(), cpu: all[0]?.model.trim() ?? 'unknown', cores: all.length, load: loadavg()[0] };
}

/** `results[measure][network]` is a list of one object of figures for each round. */
export function table(run) {
  const rows = MEASURES.flatMap((measure) => {
    const samples = run.results[measure.key];
    if (samples === undefined) return [];
    return measure.figures.map((figure) => row(figure, samples));
  });
  return [
    `${run.rounds} rounds, median (lowest - highest), taken in turn in one run on ${run.date}: Linux ${run.machine.kernel},`,
    `${run.machine.cores} x ${run.machine.cpu}, load average ${run.machine.load.toFixed(2)} before the run, commit ${run.commit}.`,
    '',
    '| What | Unit | kernel TCP over veth | netcon | netcon / veth |',
    '| --- | --- | ---: | ---: | ---: |',
    ...rows,
  ].join('\n');
}

function row([key, text, unit, digits, moreIsBetter], samples) {
  const veth = samples.veth?.map((sample) => sample[key]) ?? [];
  const netcon = samples.netcon?.map((sample) => sample[key]) ?? [];
  const ratio = veth.length && netcon.length ? (median(netcon) / median(veth)).toFixed(2) : 'not run';
  const sense = moreIsBetter ? '' : ' (less is better)';
  return `| ${text}${sense} | ${unit} | ${cell(veth, digits)} | ${cell(netcon, digits)} | ${ratio} |`;
}

export function cell(values, digits) {
  if (values.length === 0) return 'not run';
  const [low, middle, high] = [Math.min(...values), median(values), Math.max(...values)].map((n) => n.toFixed(digits));
  return `${middle} (${low} - ${high})`;
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/** Replaces what stands between the markers that name this writer. */
export function writePage(path, text, writer) {
  const begin = `<!-- bench:begin (written by \`${writer}\`) -->`;
  const page = readFileSync(path, 'utf8');
  const from = page.indexOf(begin);
  const to = page.indexOf('<!-- bench:end -->', from);
  if (from < 0 || to < from) throw new Error(`${path}: the marker ${begin} or its end is missing`);
  writeFileSync(path, `${page.slice(0, from + begin.length)}\n\n${text}\n\n${page.slice(to)}`);
}

/** What was measured. */
export function commit(root) {
  try {
    const git = (...args) => execFileSync('git', ['-C', root, ...args], { encoding: 'utf8' }).trim();
    return git('rev-parse', '--short', 'HEAD') + (git('status', '--porcelain', '-uno') ? ' with changes' : '');
  } catch {
    return 'unknown';
  }
}
