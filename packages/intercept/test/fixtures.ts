import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A directory of files for a test; `remove` it in after(). */
export class Fixtures {
  readonly dir = mkdtempSync(join(tmpdir(), 'netcon-intercept-'));

  file(name: string, content: Uint8Array | string, mode = 0o755): string {
    const path = join(this.dir, name);
    writeFileSync(path, content);
    // Apart from writing: the umask, and set-id bits.
    chmodSync(path, mode);
    return path;
  }

  remove(): void {
    rmSync(this.dir, { recursive: true });
  }
}

/** The beginning of an ELF file with one program header (elf(5)). */
export function elf(what: { bits?: 32 | 64; machine?: number; header?: 'interp' | 'load' | 'none' }): Buffer {
  const { bits = 64, machine = 62, header = 'interp' } = what;
  const file = Buffer.alloc(160);
  const start = bits === 64 ? 64 : 52;
  file.write('\x7fELF', 0, 'latin1');
  file.set([bits === 64 ? 2 : 1, 1, 1], 4);
  file.writeUInt16LE(3, 16);
  file.writeUInt16LE(machine, 18);
  if (bits === 64) file.writeBigUInt64LE(BigInt(start), 32);
  else file.writeUInt32LE(start, 28);
  file.writeUInt16LE(bits === 64 ? 56 : 32, bits === 64 ? 54 : 42);
  file.writeUInt16LE(header === 'none' ? 0 : 1, bits === 64 ? 56 : 44);
  file.writeUInt32LE(header === 'interp' ? 3 : 1, start);
  return file;
}
