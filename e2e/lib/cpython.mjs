import { existsSync, mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { E2E } from './paths.mjs';
import { sleep, tail } from './process.mjs';
import { scratch } from './service.mjs';

/** The system's interpreter: Debian's package of the tests belongs to it. */
const PYTHON = '/usr/bin/python3';
/** A test that says nothing for so long hangs. The longest take 30 s on a quiet machine. */
const SILENCE_MS = 100_000;
/** Tests of one module that may hang or end the interpreter before the module is given up. */
const ACCIDENTS = 5;

/**
 * Runs tests in one place; `start(program, args, options)` starts a process there. The outcome of each by its id: "ok",
 * "fail", "error", "skip", or, where the interpreter did not live to say so, "hang" or "crash".
 */
export async function runTests({ start, names, without = [], only }) {
  const dir = scratch('netcon-cpython');
  const results = new Map();
  for (let accidents = 0; ; accidents++) {
    const cwd = mkdtempSync(join(dir, 'run-'));
    const report = join(cwd, '.report');
    const left = join(cwd, '.without');
    writeFileSync(left, [...without, ...results.keys()].join('\n'));
    const options = ['--without', left, ...(only ? ['--only', only] : [])];
    const env = { TMPDIR: cwd, PYTHONDONTWRITEBYTECODE: '1' };
    const process = start(PYTHON, [`${E2E}cpython/run-module.py`, ...options, report, ...names], { cwd, env });
    const hung = await silent(process, report);
    // What its tests left running goes as well.
    process.killGroup();
    const status = await process.ended;
    const lines = read(report);
    for (const { test, outcome, detail } of lines) if (test) results.set(test, { outcome, detail });
    const last = lines.at(-1);
    if (last?.end !== undefined) break;
    if (last?.start === undefined || accidents === ACCIDENTS) {
      throw new Error(`${names}: ended (${status.code ?? status.signal}) before its tests did\n${tail(status)}`);
    }
    const how = hung ? `silent for ${SILENCE_MS} ms` : `ended: ${status.code ?? status.signal}`;
    results.set(last.start, { outcome: hung ? 'hang' : 'crash', detail: `${how}\n${tail(status)}` });
  }
  return results;
}

/** Waits for the end of a process, or until its report has not grown for too long, which is true. */
async function silent(process, report) {
  let size = -1;
  let since = Date.now();
  while (!process.status) {
    await sleep(50);
    const now = existsSync(report) ? statSync(report).size : 0;
    if (now !== size) since = Date.now();
    else if (Date.now() - since > SILENCE_MS) return true;
    size = now;
  }
  return false;
}

function read(report) {
  if (!existsSync(report)) return [];
  const lines = readFileSync(report, 'utf8').split('\n').filter(Boolean);
  return lines.map((line) => JSON.parse(line));
}

/** How many of each outcome: "95 ok, 8 skip". */
export function count(results) {
  const counts = new Map();
  for (const { outcome } of results.values()) counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  return [...counts].map(([outcome, number]) => `${number} ${outcome}`).join(', ');
}

/**
 * Tests that netcon is to be blamed for, or might be: passed natively and not under netcon, or something else than
 * passed and skipped natively, where only another run can tell.
 */
export function suspects(native, netcon) {
  const ids = new Set([...native.keys(), ...netcon.keys()]);
  return [...ids].filter((id) => {
    const [left, right] = [outcome(native, id), outcome(netcon, id)];
    return left === 'ok' ? right !== 'ok' : left !== 'skip' || !['ok', 'skip'].includes(right);
  });
}

export function outcome(results, id) {
  return results.get(id)?.outcome ?? 'missing';
}

/** What is known to fail under netcon: the test, and the row of docs/limits.md that says why; "sometimes": not always. */
export const KNOWN_FAILURES = JSON.parse(readFileSync(`${E2E}cpython/known-failures.json`, 'utf8'));
