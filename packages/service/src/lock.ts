import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  openSync,
  readFileSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { NetconError } from '@netcon/core-rs';

/** A lock that the kernel drops with the process. */
export interface Lock {
  release(): void;
}

/**
 * Takes the lock of a service's name; the file holds the owner's pid for the message that a second one gets.
 *
 * @throws NETCON_ALREADY_RUNNING
 */
export function takeLock(path: string, tryLock: (fd: number) => boolean): Lock {
  for (;;) {
    const fd = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
    if (!tryLock(fd)) {
      closeSync(fd);
      throw alreadyRunning(path);
    }
    // The owner before us unlinks the file when it ends: then what we locked is not what others will find.
    if (sameFile(path, fd)) {
      ftruncateSync(fd);
      writeSync(fd, `${process.pid}\n`, 0);
      return {
        release() {
          unlinkSync(path);
          closeSync(fd);
        },
      };
    }
    closeSync(fd);
  }
}

function sameFile(path: string, fd: number): boolean {
  const found = statSync(path, { throwIfNoEntry: false });
  return found !== undefined && found.ino === fstatSync(fd).ino;
}

function alreadyRunning(path: string): NetconError {
  const pid = readFileSync(path, 'utf8').trim();
  const name = path.replace(/\.lock$/, '.sock');
  return new NetconError('NETCON_ALREADY_RUNNING', `a service runs there already: pid ${pid || 'unknown'}, ${name}`);
}
