import { fileURLToPath } from 'node:url';

/** The root of the e2e package, with a slash at its end. */
export const E2E = fileURLToPath(new URL('../', import.meta.url));
export const NETCON = fileURLToPath(new URL('../../packages/cli/bin/netcon', import.meta.url));
export const LIBRARY = fileURLToPath(new URL('../../packages/intercept/dist/libnetcon.so', import.meta.url));
/** What differential/build.mjs made. */
export const BIN = `${E2E}bin/`;
