/**
 * The typed RPC: codec, client and the answering of HELLO. The format is defined by the Rust crate `wire`; both read
 * the golden frames of crates/wire/golden/frames.txt, so neither can move alone.
 */
export * from './rpc/addr.js';
export * from './rpc/client.js';
export { RpcDecodeError } from './rpc/cursor.js';
export { decodeHeader, frameId, Op, type OpName, VERSION_MAJOR, VERSION_MINOR } from './rpc/frame.js';
export type { Question } from './rpc/question.js';
export * from './rpc/reply.js';
export * from './rpc/request.js';
