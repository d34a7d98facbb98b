/** What a code means to a caller: its HTTP status in the admin API, and what the user can do. */
export interface ErrorInfo {
  readonly status: number;
  readonly hint: string;
}

/**
 * Every code netcon reports. docs/errors.md explains each one; a test keeps the two equal. The registry stands here, in
 * the lowest package, because the addon's errors, the launcher's and the service's share it.
 */
export const ERRORS = {
  NETCON_ADDON_LOAD: { status: 500, hint: 'build the addon: pnpm build' },
  NETCON_NATIVE_FAILED: { status: 500, hint: 'the message names the system call that failed' },
  NETCON_BINDING_ARGUMENT: { status: 500, hint: 'addon and packages are not of one build: pnpm build' },
  NETCON_SYSTEM: { status: 500, hint: 'the message names the system call and its errno' },
  NETCON_ENGINE_STATE: { status: 503, hint: 'the engine is not running, or does not answer: restart the service' },
  NETCON_ENGINE_PANIC: { status: 500, hint: 'restart the service; what it printed last belongs in a bug report' },
  NETCON_ENGINE_FAILED: { status: 500, hint: 'restart the service; what it printed last belongs in a bug report' },

  NETCON_TAP_DENIED: {
    status: 503,
    hint: 'run as root, or let root make one (ip tuntap add dev netcon0 mode tap user $USER) and open /dev/net/tun to you',
  },
  NETCON_TAP_NO_DEVICE: {
    status: 503,
    hint: 'load the driver: modprobe tun; in a container pass --device /dev/net/tun',
  },
  NETCON_TAP_BUSY: { status: 503, hint: 'choose another name: netcon service --tap NAME' },
  NETCON_TAP_NAME: { status: 400, hint: 'an interface name has 1 to 15 characters and neither "/" nor a space' },
  NETCON_TAP_FAILED: { status: 503, hint: 'the message names the step and the errno' },
  NETCON_CAPTURE_FILE: { status: 400, hint: 'check the path given to --capture' },

  NETCON_SOCKET_IN_USE: { status: 409, hint: 'another process holds the socket: use --socket PATH or --name NAME' },
  NETCON_SOCKET_BIND: { status: 500, hint: 'check that the directory of the socket can be written: --socket PATH' },
  NETCON_SOCKET_NO_DIR: { status: 500, hint: 'set XDG_RUNTIME_DIR, or give a path: --socket PATH' },
  NETCON_SOCKET_TOO_LONG: {
    status: 400,
    hint: 'a unix socket path has at most 107 bytes: use a shorter --socket PATH',
  },
  NETCON_ALREADY_RUNNING: {
    status: 409,
    hint: 'stop the other one, or give this one a name: netcon service --name NAME',
  },

  NETCON_ADDRESS_INVALID: { status: 400, hint: 'write an address with its prefix length: 10.77.0.2/24 or fd77::2/64' },
  NETCON_ADDRESS_CONFLICT: { status: 400, hint: 'give the host and the stack different addresses of one network' },
  NETCON_OPTION_BAD: { status: 400, hint: 'see netcon service --help' },

  NETCON_RESOLVER_BAD: {
    status: 400,
    hint: 'write --resolver 10.77.0.1, --resolver 10.77.0.1:5353 or --resolver [fd77::1]:53',
  },

  NETCON_POLICY_UNKNOWN: { status: 400, hint: 'use user:NAME, group:NAME (names or numbers of this machine) or all' },
  NETCON_POLICY_REFUSED: {
    status: 403,
    hint: 'let the owner of the service start it with: netcon service --allow user:NAME',
  },
  NETCON_SESSION_LIMIT: { status: 429, hint: 'raise the limit: netcon service --max-sessions N' },

  NETCON_SERVICE_ABSENT: { status: 503, hint: 'start one: netcon service' },
  NETCON_SERVICE_DENIED: { status: 403, hint: 'the socket belongs to another user: run your own, or ask for --allow' },
  NETCON_SERVICE_SILENT: {
    status: 504,
    hint: 'the process that holds the socket turns programs away, which it says on its standard error, or hangs: then restart it',
  },
  NETCON_SERVICE_UNTRUSTED: { status: 403, hint: 'a service of your own uid or of root is trusted: use --socket PATH' },
  NETCON_SERVICE_VERSION: { status: 502, hint: 'restart the service with the netcon that you use here' },
  NETCON_RPC_MALFORMED: { status: 502, hint: 'the other side is not netcon, or of another version' },

  NETCON_APP_NOT_FOUND: { status: 404, hint: 'check the name, or give a path: netcon intercept ./app' },
  NETCON_APP_DENIED: { status: 403, hint: 'check the permissions of the file: chmod +x' },
  NETCON_APP_FORMAT: { status: 400, hint: 'a program is an ELF file, or a script that begins with #!' },
  NETCON_APP_STATIC: { status: 400, hint: 'use a dynamically linked build (Go: CGO_ENABLED=1 and -linkmode=external)' },
  NETCON_APP_SETUID: { status: 400, hint: 'use a copy without the set-id bit, or become that user first' },
  NETCON_APP_32BIT: { status: 400, hint: 'use a 64-bit build of the program' },
  NETCON_APP_MACHINE: { status: 400, hint: 'use a build of the program for this machine' },
  NETCON_LIBRARY_MISSING: { status: 500, hint: 'build the library: pnpm build' },
  NETCON_LIBRARY_COPY: { status: 500, hint: 'give --library a file in a directory that exists and can be written' },
  NETCON_BYPASS_BAD: { status: 400, hint: 'use --bypass all or --bypass CIDR, e.g. --bypass 192.168.0.0/16' },

  NETCON_API_BAD_REQUEST: { status: 400, hint: 'the OpenAPI document is at /openapi.json' },
  NETCON_API_NOT_FOUND: { status: 404, hint: 'the routes are listed in /openapi.json' },
  NETCON_API_FAILED: { status: 500, hint: 'look at what the service printed' },
} as const satisfies Record<string, ErrorInfo>;

/** One of the codes above. */
export type ErrorCode = keyof typeof ERRORS;

/**
 * An error for people and programs: `message` says what was tried, `code` is stable, `hint` says what to do.
 *
 * @example throw new NetconError('NETCON_APP_NOT_FOUND', 'curll: not found in PATH')
 */
export class NetconError extends Error {
  override readonly name = 'NetconError';
  readonly code: ErrorCode;
  readonly hint: string;
  readonly status: number;
  /** The name of the errno behind it, if a system call failed. */
  readonly errno: string | undefined;

  constructor(code: ErrorCode, message: string, more: { hint?: string; errno?: string; cause?: unknown } = {}) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.code = code;
    this.hint = more.hint ?? ERRORS[code].hint;
    this.status = ERRORS[code].status;
    this.errno = more.errno;
  }
}

/** Whether a string is one of the codes. */
export function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && Object.hasOwn(ERRORS, code);
}

/**
 * The one place where the addon's errors become ours. A synchronous call carries its code in `err.code`; a rejected
 * promise can't (napi allows only its own status there), so the message begins with "CODE: ".
 */
export function fromNative(thrown: unknown): NetconError {
  if (thrown instanceof NetconError) return thrown;
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  const split = /^([A-Z][A-Z0-9_]+): ([\s\S]*)$/.exec(error.message);
  const own = (error as { code?: unknown }).code;
  const code = isErrorCode(own) || isErrno(own) ? own : split?.[1];
  const message = split?.[1] === code && split?.[2] !== undefined ? split[2] : error.message;
  if (isErrorCode(code)) return new NetconError(code, message, { cause: thrown });
  return new NetconError('NETCON_NATIVE_FAILED', message, { cause: thrown, ...(isErrno(code) ? { errno: code } : {}) });
}

function isErrno(code: unknown): code is string {
  return typeof code === 'string' && /^E[A-Z0-9]+$/.test(code);
}
