/** The registry and the class live in core-rs (the addon's errors share them); this is their home for the upper packages. */
export { ERRORS, type ErrorCode, isErrorCode, NetconError } from '@netcon/core-rs';
