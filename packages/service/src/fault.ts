import { randomInt } from 'node:crypto';
import { type FaultOptions, NetconError } from '@netcon/core-rs';

const KEYS = new Map<string, { field: keyof FaultOptions; unit: 'ratio' | 'ms' | 'seed' }>([
  ['loss', { field: 'loss', unit: 'ratio' }],
  ['reorder', { field: 'reorder', unit: 'ratio' }],
  ['duplicate', { field: 'duplicate', unit: 'ratio' }],
  ['delay', { field: 'delayMs', unit: 'ms' }],
  ['jitter', { field: 'jitterMs', unit: 'ms' }],
  ['seed', { field: 'seed', unit: 'seed' }],
]);

/**
 * Reads `loss=1%,delay=20ms,jitter=5ms,reorder=0.5%,duplicate=0.1%,seed=7`; what is not named is 0, the seed random.
 *
 * @throws NETCON_OPTION_BAD
 */
export function parseFault(text: string): FaultOptions {
  const fault: FaultOptions = {
    seed: randomInt(2 ** 31),
    loss: 0,
    delayMs: 0,
    jitterMs: 0,
    reorder: 0,
    duplicate: 0,
  };
  for (const part of text.split(',')) {
    const [name = '', value = ''] = part.split('=');
    const key = KEYS.get(name);
    if (key === undefined) throw bad(part, `the faults are ${[...KEYS.keys()].join(', ')}`);
    const number = parseValue(value, key.unit);
    if (number === undefined) throw bad(part, EXAMPLES[key.unit]);
    fault[key.field] = number;
  }
  return fault;
}

const EXAMPLES = { ratio: 'a ratio such as 1% or 0.01', ms: 'a time such as 20ms', seed: 'a number' };

function parseValue(text: string, unit: 'ratio' | 'ms' | 'seed'): number | undefined {
  const [, digits, suffix = ''] = /^(\d+(?:\.\d+)?)(%|ms)?$/.exec(text) ?? [];
  if (digits === undefined) return undefined;
  const number = Number(digits);
  switch (unit) {
    case 'ratio': {
      const ratio = suffix === '%' ? number / 100 : number;
      return suffix === 'ms' || ratio > 1 ? undefined : ratio;
    }
    case 'ms':
      return suffix === '%' || number > 60_000 || !Number.isInteger(number) ? undefined : number;
    case 'seed':
      return suffix !== '' || number > 0xffff_ffff || !Number.isInteger(number) ? undefined : number;
  }
}

function bad(part: string, why: string): NetconError {
  return new NetconError('NETCON_OPTION_BAD', `--fault ${part}: ${why}`);
}
