/** What the engine is made of. */
export interface EngineOptions {
  socketPath: string;
  /** Directory (0700) of the native names that sockets are bound to. */
  namesDir: string;
  /** The stack's addresses, as CIDR. */
  addresses: string[];
  gateway4?: string;
  gateway6?: string;
  tap?: TapOptions;
  fault?: FaultOptions;
  /** A file to write a pcap capture to. */
  capture?: string;
  maxSockets?: number;
  /** Congestion control of connections whose program chooses none. */
  congestion?: Congestion;
  /** Connect two programs of this service to each other directly (default). */
  shortcut?: boolean;
  /** How long the engine looks for something to do before it sleeps, at most; 0 (default) for not at all. */
  busyPollMicros?: number;
}

/** Algorithms, by the names that TCP_CONGESTION has for them. */
export type Congestion = 'cubic' | 'reno' | 'bbr';

export interface TapOptions {
  name: string;
  /** The host's addresses on the interface, as CIDR. */
  hostAddresses: string[];
  offload: boolean;
  mtu?: number;
}

/** Faults the link injects; ratios are 0..1, each direction. */
export interface FaultOptions {
  seed: number;
  loss: number;
  delayMs: number;
  jitterMs: number;
  reorder: number;
  duplicate: number;
}

export interface TapReport {
  name: string;
  offload: boolean;
  /** Why there is no offload. */
  offloadReason?: string;
  addressesSet: boolean;
  /** Why the addresses could not be set. */
  reason?: string;
}

/** A program's first message, with the credentials the kernel vouches for. */
export interface HelloEvent {
  kind: 'hello';
  session: number;
  pid: number;
  uid: number;
  gid: number;
  groups: number[];
  /** It, or a process that it descends from, was admitted by the service that was killed before this one. */
  returning: boolean;
  /** The HELLO frame as received. */
  frame: Uint8Array;
}

/** A program asks about a name. */
export interface QuestionEvent {
  kind: 'question';
  question: number;
  session: number;
  /** The RESOLVE frame as received. */
  frame: Uint8Array;
}

export type EngineEvent =
  | HelloEvent
  | QuestionEvent
  | { kind: 'fatal'; message: string }
  | { kind: 'log'; level: string; message: string };

export interface EngineStatus {
  uptimeMs: number;
  connections: number;
  listeners: number;
  sessions: number;
  sockets: number;
  counters: Record<string, number>;
}

export interface SocketRow {
  id: number;
  protocol: string;
  family: number;
  state: string;
  /** Connected to the other program directly: the service moves and counts none of its octets. */
  shortcut: boolean;
  local: string;
  peer: string;
  recvQueue: number;
  sendQueue: number;
  session: number;
  pid: number;
  program: string;
  uid: number;
  ageMs: number;
  rxBytes: number;
  txBytes: number;
  /** Of an open TCP connection. */
  sender?: SenderRow;
}

/** How a connection sends; octets, and octets a second. */
export interface SenderRow {
  congestion: string;
  cwnd: number;
  /** Absent before the first congestion. */
  ssthresh?: number;
  rttMs?: number;
  rttVariationMs: number;
  minRttMs: number;
  rtoMs: number;
  inFlight: number;
  lost: number;
  sacked: number;
  unsent: number;
  /** Segments sent again. */
  retransmissions: number;
  timeouts: number;
  /** When the algorithm paces. */
  pacingRate?: number;
  deliveryRate: number;
}

export interface SessionRow {
  id: number;
  pid: number;
  uid: number;
  program: string;
  parent?: number;
  sockets: number;
  ageMs: number;
}

/** The event loop in its own thread; events arrive on the JavaScript thread. */
export interface Engine {
  readonly tap: TapReport | null;
  start(onEvent: (event: EngineEvent) => void): void;
  /** `reply` is the encoded HELLO reply. */
  admit(session: number, maxSockets: number, reply: Uint8Array): void;
  refuse(session: number, reply: Uint8Array): void;
  /** `errno` is 0 where there is an answer; see crates/wire/src/question.rs. */
  answer(question: number, errno: number, bytes: Uint8Array): void;
  status(): Promise<EngineStatus>;
  sockets(): Promise<SocketRow[]>;
  sessions(): Promise<SessionRow[]>;
  stop(): Promise<void>;
}

/** A connection to a service's RPC socket; calls block, for at most some seconds. */
export interface Channel {
  call(frame: Uint8Array): Uint8Array;
  /** SO_PEERCRED: who holds the socket. */
  peer(): { pid: number; uid: number; gid: number };
  close(): void;
}

/** Sockets of the stack's for the service itself; descriptors are the caller's to close. */
export interface StackClient {
  /** To be called first: says HELLO, which the service answers while this waits. */
  join(): Promise<number>;
  datagram(v6: boolean): number;
  /** A connected TCP socket. */
  stream(ip: string, port: number, timeoutMs: number): Promise<number>;
}

export interface ExecOptions {
  /** RPC socket of a service: the program inherits a channel to it that is already open. */
  channel?: string;
  /** Soft RLIMIT_NOFILE to restore (Node raises it at its start). */
  nofileSoft?: number;
  /** Signals to ignore again (Node resets them). */
  ignoreSignals: number[];
}
