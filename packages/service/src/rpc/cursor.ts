/** Why bytes are not a frame; the names are those of the Rust crate `wire`. */
export type DecodeFault = 'Truncated' | 'BadMagic' | 'BadVersion' | 'UnknownOp' | 'BadField' | 'TooLong';

/** The only error that coding and decoding throw. `value` is the version or op the sender named. */
export class RpcDecodeError extends Error {
  override readonly name = 'RpcDecodeError';
  readonly fault: DecodeFault;
  readonly value: number | undefined;

  constructor(fault: DecodeFault, value?: number) {
    super(value === undefined ? `frame refused: ${fault}` : `frame refused: ${fault} ${value}`);
    this.fault = fault;
    this.value = value;
  }
}

/** Bounded reading of little-endian fields. */
export class Reader {
  private at = 0;
  private readonly view: DataView;
  private readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    // Never a Buffer: its slice() is a view, not a copy.
    this.bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Bytes not read yet: none are left where a sender knows no trailing field. */
  get remaining(): number {
    return this.bytes.length - this.at;
  }

  u8(): number {
    return this.view.getUint8(this.advance(1));
  }

  u16(): number {
    return this.view.getUint16(this.advance(2), true);
  }

  u32(): number {
    return this.view.getUint32(this.advance(4), true);
  }

  i32(): number {
    return this.view.getInt32(this.advance(4), true);
  }

  /** A copy: frames live in a buffer that the engine may reuse. */
  take(length: number): Uint8Array {
    const from = this.advance(length);
    return this.bytes.slice(from, from + length);
  }

  /** A u16 length, then that many bytes, at most `max`. */
  sized(max: number): Uint8Array {
    const bytes = this.take(this.u16());
    if (bytes.length > max) throw new RpcDecodeError('BadField');
    return bytes;
  }

  private advance(length: number): number {
    const from = this.at;
    if (length > this.bytes.length - from) throw new RpcDecodeError('Truncated');
    this.at = from + length;
    return from;
  }
}

/** Writing of little-endian fields into a buffer of a given size. */
export class Writer {
  private at = 0;
  private readonly view: DataView;
  private readonly bytes: Uint8Array;

  constructor(size: number) {
    this.bytes = new Uint8Array(size);
    this.view = new DataView(this.bytes.buffer);
  }

  u8(value: number): void {
    this.view.setUint8(this.advance(1), value);
  }

  u16(value: number): void {
    this.view.setUint16(this.advance(2), value, true);
  }

  u32(value: number): void {
    this.view.setUint32(this.advance(4), value, true);
  }

  i32(value: number): void {
    this.view.setInt32(this.advance(4), value, true);
  }

  put(bytes: Uint8Array): void {
    this.bytes.set(bytes, this.advance(bytes.length));
  }

  sized(bytes: Uint8Array, max: number): void {
    if (bytes.length > max) throw new RpcDecodeError('TooLong');
    this.u16(bytes.length);
    this.put(bytes);
  }

  done(): Uint8Array {
    return this.bytes.subarray(0, this.at);
  }

  private advance(length: number): number {
    const from = this.at;
    if (length > this.bytes.length - from) throw new RpcDecodeError('TooLong');
    this.at = from + length;
    return from;
  }
}
