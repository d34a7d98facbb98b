// The tables of bench/scale.mjs, and what is flat.

/** How much more a request may cost with the most connections than with the fewest. */
const FLAT = 3;

export const factor = (costs) => Math.max(...costs) / Math.min(...costs);

export const flat = (costs) => factor(costs) <= FLAT;

/** Two tables in Markdown: real connections, simulated ones. */
export function scaleTables(real, simulated) {
  return [
    '| idle connections | p50 of 64 bytes there and back, us | CPU of the service for it, us | and for an octet, all in turn, us | wake-ups in 3 s | RSS, MiB | for each, KiB | page tables for each, KiB | RSS after, MiB |',
    '| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |',
    ...real.map(realRow),
    '',
    '| connections, simulated | a segment, the others idle, ns | a segment, all in turn, ns |',
    '| ---: | ---: | ---: |',
    ...simulated.map(({ connections, othersIdle, allInTurn }) => `| ${connections} | ${othersIdle} | ${allInTurn} |`),
  ].join('\n');
}

function realRow(row) {
  const cells = [
    ...[row.connections, row.p50.toFixed(0), row.cpuUs.toFixed(1), row.cpuInTurnUs.toFixed(1), row.wakeUps],
    // A few connections say nothing about one.
    ...[row.miB.toFixed(1), row.connections < 100 ? '-' : row.kib.toFixed(1)],
    ...[row.connections < 100 ? '-' : row.pageTableKib.toFixed(1), row.afterMiB.toFixed(1)],
  ];
  return `| ${cells.join(' | ')} |`;
}
