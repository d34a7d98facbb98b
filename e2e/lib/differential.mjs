import { readFileSync } from 'node:fs';
import { E2E } from './paths.mjs';

/** Programs that need a function which musl lacks. */
export const GLIBC_ONLY = ['close-range'];

/** Output by its headings ("-- title"), so that a line more or less shifts only its own section. */
function sections(output) {
  const found = [];
  let title = '';
  let lines = [];
  for (const line of output.trimEnd().split('\n')) {
    if (line.startsWith('-- ')) {
      found.push({ title, lines });
      title = line.slice(3);
      lines = [];
    } else {
      lines.push(line);
    }
  }
  found.push({ title, lines });
  return found.filter((section) => section.title !== '' || section.lines.length > 0);
}

/** Every line in which the two outputs differ: where, and what each said ("" where one has no such line). */
export function differences(native, netcon) {
  const left = sections(native);
  const right = sections(netcon);
  const all = [];
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const a = left[i] ?? { title: '(none)', lines: [] };
    const b = right[i] ?? { title: '(none)', lines: [] };
    if (a.title !== b.title) all.push({ section: a.title, native: `-- ${a.title}`, netcon: `-- ${b.title}` });
    for (let j = 0; j < Math.max(a.lines.length, b.lines.length); j++) {
      const line = { section: a.title, native: a.lines[j] ?? '', netcon: b.lines[j] ?? '' };
      if (line.native !== line.netcon) all.push(line);
    }
  }
  return all;
}

/**
 * What is known to differ. Each entry names the program, what both say, the row of docs/limits.md that explains it
 * ("limits"), and optionally the family (4 or 6), the section it is limited to, and that it is not always so ("sometimes").
 */
export const KNOWN = JSON.parse(readFileSync(`${E2E}differential/known-differences.json`, 'utf8'));

export function knownEntry(program, family, found) {
  return KNOWN.find(
    (entry) =>
      entry.program === program &&
      (entry.family === undefined || entry.family === family) &&
      (entry.section === undefined || entry.section === found.section) &&
      entry.native === found.native &&
      entry.netcon === found.netcon,
  );
}
