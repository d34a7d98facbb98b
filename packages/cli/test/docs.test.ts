import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { EXIT } from '../src/exit.js';
import { createProgram } from '../src/program.js';

const text = readFileSync(new URL('../../../../docs/cli.md', import.meta.url), 'utf8');
const program = createProgram({ launch: { ignoreSignals: [] }, runsApp: false });

for (const command of program.commands) {
  test(`docs/cli.md lists the options of netcon ${command.name()}, and no others`, () => {
    const section = sectionOf(`\`netcon ${command.name()}\``);
    const documented = [...section.matchAll(/^\| `(--[\w-]+)` \|/gm)].map(([, option]) => option);
    assert.deepEqual(
      documented,
      command.options.map((option) => option.long),
    );
  });
}

test('docs/cli.md lists the exit statuses', () => {
  const documented = [...sectionOf('Exit status').matchAll(/^\| (\d+) \|/gm)].map(([, status]) => Number(status));
  assert.deepEqual(documented, Object.values(EXIT));
});

function sectionOf(title: string): string {
  const section = text.split(/^## /m).find((part) => part.startsWith(`${title}\n`));
  assert.ok(section, `no section ${title}`);
  return section;
}
