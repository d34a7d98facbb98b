// What a run says, as Markdown; and a page's part between two markers.
//
// A run: `contenders` (name to note or error), `results[measure][contender]`, a list of one object of figures for each round,
// `memory[contender]`, and what is known of the machine.

import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release } from 'node:os';
import { GOALS, verdict, wording } from './goals.mjs';
import { MEASURES } from './measures.mjs';
import { plot } from './plot.mjs';
import { cell, ratios, spread } from './statistics.mjs';

export const BASE = 'veth';
const SUBJECT = 'netcon';

export function describeMachine() {
  const all = cpus();
  return { kernel: release(), cpu: all[0]?.model.trim() ?? 'unknown', cores: all.length, load: loadavg()[0] };
}

const row = (cells) => `| ${cells.join(' | ')} |`;
const head = (names, right) => [row(names), row(names.map((_, i) => (i >= right ? '---:' : '---')))];

const measured = (run) => MEASURES.filter(({ key }) => run.results[key] !== undefined);
const samples = (run, key, name) => run.results[key]?.[name] ?? [];
const figures = (run, key, name, figure) => samples(run, key, name).map((sample) => sample[figure] ?? Number.NaN);

/** A contender's figure in terms of the base's, round by round. */
export function ratiosOf(run, key, name) {
  return ratios(figures(run, key, name, 'value'), figures(run, key, BASE, 'value'));
}

function names(run) {
  return Object.keys(run.contenders).filter((name) => run.contenders[name].error === undefined);
}

/** The whole of it. */
export function tables(run) {
  const { machine } = run;
  const notes = Object.entries(run.contenders).map(
    ([name, { note, error }]) => `- **${name}**: ${error === undefined ? note : `not run: ${error}`}`,
  );
  return [
    `${run.rounds} rounds, taken in turn in one run on ${run.date}: Linux ${machine.kernel}, ${machine.cores} x ${machine.cpu},`,
    `load average ${machine.load.toFixed(2)} before the run, commit ${run.commit}; ${run.versions.join(', ')}.`,
    '',
    ...notes,
    '',
    'Ratios to kernel TCP over veth of the same round (the last four: 127.0.0.1, or the same beside bulk): median (lowest - highest).',
    '',
    ...ratioTable(run),
    '',
    'The figures themselves: median (lowest - highest).',
    '',
    ...valueTable(run),
    '',
    'CPU seconds of the app and of the contender’s own processes together; for a GB of bulk, else for a million operations.',
    '',
    ...cpuTable(run),
    '',
    ...(run.memory ? memoryTable(run) : []),
  ].join('\n');
}

function ratioTable(run) {
  const others = names(run).filter((name) => name !== BASE);
  const rows = measured(run).map(({ key, text, lessIsBetter }) => {
    const goal = GOALS[key]?.ratio;
    const cells = others.map((name) => cell(ratiosOf(run, key, name), 2));
    const reached = verdict(goal, spread(ratiosOf(run, key, SUBJECT))?.middle);
    return row([lessIsBetter ? `${text} (less is better)` : text, ...cells.map(dash), wording(goal), reached]);
  });
  return [...head(['What', ...others, 'goal', ''], 1), ...rows];
}

const dash = (text) => (text === 'not run' ? '-' : text);

function valueTable(run) {
  const all = names(run);
  const rows = measured(run).map(({ key, text, unit }) => {
    const cells = all.map((name) => {
      const values = figures(run, key, name, 'value');
      return dash(cell(values, (spread(values)?.high ?? 0) < 100 ? 2 : 0));
    });
    return row([text, unit, ...cells]);
  });
  const latencies = measured(run)
    .filter(({ key }) => ['rr', 'load-up', 'load-down'].includes(key))
    .flatMap(({ key, text }) =>
      ['p50', 'p99', 'p999'].map((figure) => {
        const cells = all.map((name) => dash(cell(figures(run, key, name, figure), 0)));
        return row([`${text.replace('p99 of ', '')}: ${figure === 'p999' ? 'p99.9' : figure}`, 'us', ...cells]);
      }),
    );
  return [...head(['What', 'unit', ...all], 2), ...rows, ...latencies];
}

function cpuTable(run) {
  const all = names(run);
  const rows = measured(run)
    .filter(({ lessIsBetter }) => !lessIsBetter)
    .map(({ key, text }) => {
      const goal = GOALS[key]?.cpuPerGb;
      const cells = all.map((name) => {
        const values = figures(run, key, name, 'cpu');
        return dash(cell(values, (spread(values)?.high ?? 0) < 10 ? 2 : 0));
      });
      return row([text, ...cells, wording(goal), verdict(goal, spread(figures(run, key, SUBJECT, 'cpu'))?.middle)]);
    });
  return [...head(['What', ...all, 'goal', ''], 1), ...rows];
}

function memoryTable(run) {
  const goal = GOALS.memory;
  const rows = Object.entries(run.memory).flatMap(([name, memory]) => {
    if (memory.error) return [row([name, memory.error, '', '', '', ''])];
    const held = memory.held.map(({ open, count, why, miB, kib, slabMiB }) => {
      const short = open < count ? ` (of ${count}: ${why})` : '';
      return miB === undefined
        ? `${open}${short}`
        : `${open}${short}: ${miB.toFixed(1)}; ${kib.toFixed(1)} KiB; ${slabMiB.toFixed(0)}`;
    });
    const after = run.after?.[name];
    return [
      row([
        name,
        number(memory.idleMiB),
        ...held,
        after === undefined ? '' : `${number(after.before)}; ${number(after.after)}`,
      ]),
    ];
  });
  const { idleMiB, held } = run.memory[SUBJECT] ?? {};
  const most = held?.at(-1);
  return [
    'Memory of the contender’s own processes, MiB (RSS). With idle connections: their number, MiB, KiB for each of them, and by how many',
    'MiB the kernel’s own objects of the whole machine grew (both ends’ sockets are among them). Last: before and after all rounds.',
    '',
    ...head(['contender', 'idle', 'some idle connections', 'many', 'before; after the rounds'], 1),
    ...rows,
    '',
    `Goals: idle ${wording(goal.idleMiB, 0)} MiB: ${verdict(goal.idleMiB, idleMiB)}; an idle connection ${wording(goal.kibPerConnection, 0)} KiB: ${verdict(goal.kibPerConnection, most?.kib)}.`,
  ];
}

const number = (value) => (value === undefined ? '-' : value.toFixed(1));

/** The ratios of the measures for which more is better. */
export function figure(run) {
  const others = names(run).filter((name) => name !== BASE && name !== 'tap-copy');
  const groups = measured(run)
    .filter(({ key, lessIsBetter }) => !lessIsBetter && GOALS[key]?.ratio)
    .map(({ key, text }) => {
      const bars = others.flatMap((name) => {
        const ratio = spread(ratiosOf(run, key, name))?.middle;
        return ratio === undefined ? [] : [{ name, ratio }];
      });
      return { text, bars, goal: GOALS[key].ratio.atLeast };
    })
    .filter(({ bars }) => bars.length > 0);
  return plot(`Ratio to kernel TCP in the same run, ${run.date}; red: netcon’s goal`, groups);
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
