/**
 * What a test file makes outside its own process is undone when the process ends, however it ends: by its
 * end, by an uncaught error, or by a signal.
 */
const undo = new Set();

/** Registers a synchronous function that undoes something; the function returned does it now, once. */
export function onEnd(act) {
  undo.add(act);
  return () => {
    if (undo.delete(act)) act();
  };
}

process.on('exit', () => {
  for (const act of [...undo].reverse()) {
    try {
      act();
    } catch (error) {
      process.stderr.write(`e2e: clean-up: ${error}\n`);
    }
  }
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));
