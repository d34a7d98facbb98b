import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server as TcpServer } from 'node:net';
import { type Answer, AUTHORITATIVE_ANSWER, decode, encode, type Packet, type Question } from 'dns-packet';

/** What a server does with a question: an answer, a number (rcode), or silence. */
export type Reply = Partial<Packet> | number | 'silence' | 'truncated' | 'forged';

/** A DNS server of the test's own, UDP and TCP on one port of 127.0.0.1; it counts what it is asked. */
export class DnsServer {
  readonly asked: string[] = [];
  port = 0;
  private readonly udp: Socket = createSocket('udp4');
  private readonly tcp: TcpServer;
  private readonly reply: (question: Question, via: 'udp' | 'tcp') => Reply;

  constructor(reply: (question: Question, via: 'udp' | 'tcp') => Reply) {
    this.reply = reply;
    this.udp.on('message', (query, from) => {
      for (const answer of this.answer(query, 'udp')) this.udp.send(answer, from.port, from.address);
    });
    this.tcp = createServer((socket) => {
      socket.on('error', () => {});
      socket.on('data', (data) => {
        for (const answer of this.answer(data.subarray(2), 'tcp')) {
          const length = Buffer.alloc(2);
          length.writeUInt16BE(answer.length);
          socket.end(Buffer.concat([length, answer]));
        }
      });
    });
  }

  async start(): Promise<this> {
    this.udp.bind(0, '127.0.0.1');
    await once(this.udp, 'listening');
    this.port = this.udp.address().port;
    this.tcp.listen(this.port, '127.0.0.1');
    await once(this.tcp, 'listening');
    return this;
  }

  stop(): void {
    this.udp.close();
    this.tcp.close();
  }

  private answer(query: Buffer, via: 'udp' | 'tcp'): Buffer[] {
    const { id, questions = [] } = decode(query);
    const [question] = questions;
    if (question === undefined) return [];
    this.asked.push(`${via} ${question.type} ${question.name}`);
    const reply = this.reply(question, via);
    if (reply === 'silence') return [];
    const whole = (more: Partial<Packet>, flags = 0) =>
      encode({
        type: 'response',
        ...(id !== undefined && { id }),
        questions,
        ...more,
        flags: flags | (more.flags ?? 0),
      });
    if (typeof reply === 'number') return [whole({}, reply)];
    if (reply === 'truncated') return [whole({}, 0x200)];
    if (reply === 'forged') {
      const forged: Answer = { type: 'A', name: question.name, ttl: 60, data: '203.0.113.66' };
      const otherId = encode({ type: 'response', id: ((id ?? 0) + 1) & 0xffff, questions, answers: [forged] });
      const name = `not-${question.name}`;
      const otherName = whole({ questions: [{ ...question, name }], answers: [{ ...forged, name }] });
      const right = whole({ answers: [{ ...forged, data: '192.0.2.1' }] });
      return [otherId, otherName, right];
    }
    return [whole(reply, AUTHORITATIVE_ANSWER)];
  }
}

export const a = (name: string, data: string, ttl = 60): Answer => ({ type: 'A', name, ttl, data });

export const soa = (minimum: number, ttl = 3600): Answer => ({
  type: 'SOA',
  name: 'test',
  ttl,
  data: { mname: 'ns.test', rname: 'root.test', serial: 1, refresh: 1, retry: 1, expire: 1, minimum },
});
