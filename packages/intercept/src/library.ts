import { accessSync, chmodSync, constants, copyFileSync, existsSync, renameSync, rmSync } from 'node:fs';
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

/**
 * Puts a copy of the library where programs of a container find it. Programs that have an older copy mapped keep it.
 *
 * @throws NETCON_LIBRARY_MISSING, NETCON_LIBRARY_COPY
 */
export function placeLibrary(path: string, library: string = findLibrary()): void {
  const fresh = `${path}.${process.pid}`;
  try {
    copyFileSync(library, fresh);
    // Whoever is let in by --allow must be able to read it.
    chmodSync(fresh, 0o755);
    renameSync(fresh, path);
  } catch (cause) {
    rmSync(fresh, { force: true });
    throw new NetconError('NETCON_LIBRARY_COPY', `--library ${path}: ${(cause as Error).message}`, { cause });
  }
}
