import { exitStatus, explain } from './exit.js';
import { callerDirectory, takeLaunch } from './launch.js';
import { createProgram } from './program.js';

const directory = callerDirectory(process.env);
if (directory !== undefined) {
  process.chdir(directory);
  process.env.PWD = directory;
}

const state = { launch: takeLaunch(process.env), runsApp: false };
try {
  await createProgram(state).parseAsync();
} catch (thrown) {
  const { code, exitCode } = thrown as { code?: string; exitCode?: number };
  // Commander has said what there was to say: --help and --version end with 0, misuse with 2.
  if (code?.startsWith('commander.')) process.exitCode = exitCode === 0 ? 0 : 2;
  else {
    process.stderr.write(explain(thrown));
    process.exitCode = exitStatus(thrown, state.runsApp);
  }
}
