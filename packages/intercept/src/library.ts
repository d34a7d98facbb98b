import { accessSync, constants, existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NetconError } from '@netcon/core-rs';

/** The library that is preloaded: the installed one (`make install` puts it beside the packages), or that of the build. */
export function libraryPath(module: string = fileURLToPath(import.meta.url)): string {
  const [root, inside] = module.split('/node_modules/');
  const installed = `${root}/libnetcon.so`;
  if (inside !== undefined && existsSync(installed)) return installed;
  return resolve(module, '../../libnetcon.so');
}

/**
 * The same, checked to be there.
 *
 * @throws NETCON_LIBRARY_MISSING
 */
export function findLibrary(path: string = libraryPath()): string {
  try {
    accessSync(path, constants.R_OK);
    return path;
  } catch (cause) {
    throw new NetconError('NETCON_LIBRARY_MISSING', `${path}: the library to preload is not there`, { cause });
  }
}
