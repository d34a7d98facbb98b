import { accessSync, constants } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { NetconError } from '@netcon/core-rs';

/** The library that is preloaded. */
export function libraryPath(): string {
  return fileURLToPath(new URL('../libnetcon.so', import.meta.url));
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
