export * from './addresses.js';
export { judge, type Verdict } from './admission.js';
export { parseFault } from './fault.js';
export { configure, DEFAULT_TAP, type ServiceConfig, type ServiceOptions } from './options.js';
export type { Server } from './resolver/resolv-conf.js';
export { type Around, type Log, type Service, startService } from './service.js';
