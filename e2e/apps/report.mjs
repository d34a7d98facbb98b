/** docs/compatibility.md from the results of a full run. */
export function markdown(results, roles) {
  const apps = [...new Set(results.map((result) => result.app))];
  const find = (app, role) => results.find((result) => result.app === app && result.role === role);
  const columns = Object.keys(roles).filter((role) => role !== 'native');
  const cell = (app, role) => {
    const result = find(app, role);
    if (!result) return '-';
    return `${result.state} ${result.seconds.map((s) => s.toFixed(1)).join(', ')}`;
  };
  const rows = apps.map((app) => {
    const native = find(app, 'native')?.seconds[0]?.toFixed(1) ?? '-';
    return `| ${app.title} | ${find(app, 'a')?.version} | ${native} | ${columns.map((role) => cell(app, role)).join(' | ')} |`;
  });
  const checks = apps.map(
    (app) => `| ${app.name} | ${(find(app, 'a') ?? find(app, 'native')).said.replaceAll('|', '/')} |`,
  );
  return `# Compatibility

Written by \`pnpm test:apps --all\`, which runs these unmodified programs and fails where one does not work. The numbers are seconds of the
whole check, start of the clients included; *native* is the same on kernel TCP over 127.0.0.1.

${columns.map((role) => `- **${role}**: ${roles[role].title}${roles[role].hosts.length > 1 ? `, over ${roles[role].hosts.join(' and ')}` : ''}`).join('\n')}

| program; clients | version | native | ${columns.join(' | ')} |
|---|---|---|${columns.map(() => '---').join('|')}|
${rows.join('\n')}

merecat sleeps one second by itself whenever a write would block, on kernel TCP too.

## What each check does

| program | in role a |
|---|---|
${checks.join('\n')}
`;
}
