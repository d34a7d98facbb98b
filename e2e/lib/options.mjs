/** The lines of programs/options-table.c: option to what was seen of it. */
export function parseOptions(output) {
  return new Map(
    output
      .trim()
      .split('\n')
      .map((line) => {
        const at = line.indexOf('|');
        return [line.slice(0, at), line.slice(at + 1)];
      }),
  );
}

const HEAD = `# Socket options

What getsockopt(2) and setsockopt(2) do on TCP sockets, as the kernel's and netcon's were seen to. A test measures this table
(\`e2e/test/options.test.mjs\`) and fails where it is not true; why something differs stands in [limits.md](limits.md). An option that is kept
need not have an effect: that, too, stands there. The program has no capabilities.

- *get*: the values of a new, a listening, a connected and an accepted socket, then how many bytes come where there is room for 2, 0 and -1.
- *set*: the value after setting 1 in these states, then, on new sockets, after setting other ints, values of other lengths (the first byte
  is 1), a null pointer, and a length of -1.
- *varies*: depends on the machine, the kernel's version or the connection; *long*: more than 16 bytes.

`;

/** The page of docs that shows what was measured. */
export function optionsPage(measured, known) {
  const rows = ['| option | sockets | get | set | netcon |', '|---|---|---|---|---|'];
  for (const name of measured[6].native.keys()) {
    const [four, six] = ['4', '6'].map((family) => ({
      native: measured[family].native.get(name),
      netcon: measured[family].netcon.get(name),
    }));
    const alike = four.native === six.native && four.netcon === six.netcon;
    const families = alike ? [['both', six]] : [...(four.native ? [['IPv4', four]] : []), ['IPv6', six]];
    for (const [sockets, { native, netcon }] of families) {
      const [get, set] = cells(native);
      rows.push(`| \`${name}\` | ${sockets} | ${get} | ${set} | ${verdict(native, netcon, known[name])} |`);
    }
  }
  return `${HEAD}${rows.join('\n')}\n`;
}

function verdict(native, netcon, reason) {
  if (native === netcon) return 'the same';
  const [get, set] = cells(netcon);
  const [was, wasSet] = cells(native);
  const differing = [get === was ? [] : [`get: ${get}`], set === wasSet ? [] : [`set: ${set}`]].flat();
  return `${differing.join('<br>')}<br>(${reason})`;
}

/** get and set in fewer words: values that the states share are said once, and so are results. */
function cells(line) {
  return line.split('|').map((part) => {
    const [states, ...others] = part.trim().split('; ');
    const values = states.split(', ');
    const same = values.every((value) => value === values[0]);
    const results = new Map();
    for (const other of others) {
      const at = other.lastIndexOf(' ');
      const tried = other.slice(0, at).replace(/:$/, '').replace('2147483647', 'largest');
      const result = other.slice(at + 1);
      results.set(result, [...(results.get(result) ?? []), tried]);
    }
    const first = same ? values[0] : states;
    if (same && results.size === 1 && results.has(first)) return first;
    return [first, ...[...results].map(([result, tried]) => `${tried.join(', ')} → ${result}`)].join('; ');
  });
}
