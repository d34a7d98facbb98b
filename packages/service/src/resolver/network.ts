import { createSocket, type Socket as DatagramSocket } from 'node:dgram';
import { closeSync } from 'node:fs';
import { connect, Socket } from 'node:net';
import { NetconError, type StackClient } from '@netcon/core-rs';
import type { Network } from './exchange.js';
import type { Server } from './resolv-conf.js';

/** A DNS message over TCP is preceded by its length (RFC 1035 4.2.2). */
const LENGTH = 2;

/**
 * Carries messages over netcon's network, or for servers that only the host reaches, over the host's. The service joins
 * its own engine for that as any program does, at the first question.
 */
export function serviceNetwork(join: () => Promise<StackClient>): Network {
  const open = new Set<() => void>();
  let joining: Promise<StackClient> | undefined;
  const client = () => {
    joining ??= join().catch((error: unknown) => {
      joining = undefined;
      throw error;
    });
    return joining;
  };
  return {
    async udp(server, message, accept, timeoutMs) {
      const v6 = server.ip.includes(':');
      const socket = createSocket({ type: v6 ? 'udp6' : 'udp4' });
      return guarded(
        open,
        () => closeDatagram(socket),
        timeoutMs,
        server,
        async (settle) => {
          socket.on('error', settle.fail);
          socket.on('message', (answer) => {
            // What is no answer to this question may be forged: the wait goes on.
            if (accept(answer)) settle.done(answer);
          });
          if (server.via === 'stack') await bindTo(socket, (await client()).datagram(v6));
          // Connected, so that a refusal is an error and others' datagrams are not received.
          socket.once('connect', () => socket.send(message));
          // Without a callback: one would be called with the error of a connect that failed, e.g. for want of a route.
          socket.connect(server.port, server.ip);
        },
      );
    },
    async tcp(server, message, timeoutMs) {
      let socket: Socket | undefined;
      return guarded(
        open,
        () => socket?.destroy(),
        timeoutMs,
        server,
        async (settle) => {
          if (server.via === 'host') socket = connect(server.port, server.ip);
          else socket = new Socket({ fd: await (await client()).stream(server.ip, server.port, timeoutMs) });
          readMessage(socket, settle);
          const length = Buffer.alloc(LENGTH);
          length.writeUInt16BE(message.length);
          socket.write(Buffer.concat([length, message]));
        },
      );
    },
    close() {
      for (const end of open) end();
    },
  };
}

interface Settle {
  done(answer: Buffer): void;
  fail(error: Error): void;
}

/** Runs one exchange: it ends by an answer, an error or the time-out, and its socket with it. */
function guarded(
  open: Set<() => void>,
  release: () => void,
  timeoutMs: number,
  server: Server,
  start: (settle: Settle) => Promise<void>,
): Promise<Buffer> {
  return new Promise<Buffer>((resolve, reject) => {
    const end = () => {
      clearTimeout(timer);
      open.delete(abort);
      release();
    };
    const settle: Settle = {
      done(answer) {
        end();
        resolve(answer);
      },
      fail(error) {
        end();
        reject(error);
      },
    };
    const timer = setTimeout(() => settle.fail(new Error(`${server.ip} does not answer`)), timeoutMs);
    const abort = () => settle.fail(new Error('the service ends'));
    open.add(abort);
    start(settle)
      .catch(settle.fail)
      .finally(() => {
        // It may have ended before its socket was there.
        if (!open.has(abort)) release();
      });
  });
}

/** Takes a socket of another network namespace; its port is chosen when it is connected. */
function bindTo(socket: DatagramSocket, fd: number): Promise<void> {
  return new Promise((resolve) => {
    try {
      socket.bind({ fd }, resolve);
    } catch (ended) {
      // The wait was over before the descriptor was there.
      closeSync(fd);
      throw ended;
    }
  });
}

function closeDatagram(socket: DatagramSocket): void {
  try {
    socket.close();
  } catch {
    // Closed already.
  }
}

function readMessage(socket: Socket, settle: Settle): void {
  let received = Buffer.alloc(0);
  socket.on('error', settle.fail);
  socket.on('close', () => settle.fail(new Error('closed without an answer')));
  socket.on('data', (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
    if (received.length < LENGTH) return;
    const length = received.readUInt16BE(0);
    if (received.length >= LENGTH + length) settle.done(received.subarray(LENGTH, LENGTH + length));
  });
}

/** Joins an engine that has been started. */
export async function joinEngine(connectStack: () => StackClient): Promise<StackClient> {
  const client = connectStack();
  const status = await client.join();
  if (status !== 0) throw new NetconError('NETCON_ENGINE_STATE', 'the service could not join its own engine');
  return client;
}
