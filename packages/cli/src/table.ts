/** Columns as wide as their widest cell, two spaces apart; those listed in `right` are aligned to the right. */
export function table(head: string[], rows: string[][], right: number[] = []): string {
  const all = [head, ...rows.map((row) => row.map(printable))];
  const widths = head.map((_, i) => Math.max(...all.map((row) => row[i]?.length ?? 0)));
  const line = (row: string[]) =>
    row
      .map((cell, i) => (right.includes(i) ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0)))
      .join('  ')
      .trimEnd();
  return `${all.map(line).join('\n')}\n`;
}

/** A time as people read it: the two largest units. */
export function age(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000);
  if (seconds < 1) return `${Math.max(0, Math.floor(milliseconds))}ms`;
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m${seconds % 60}s`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h${Math.floor((seconds % 3600) / 60)}m`;
  return `${Math.floor(seconds / 86_400)}d${Math.floor((seconds % 86_400) / 3600)}h`;
}

/** A program chooses its own name: it is not to steer the terminal with it. */
function printable(cell: string): string {
  return cell.replaceAll(/[^\x20-\x7e\u00a0-\uffff]/g, '?');
}
