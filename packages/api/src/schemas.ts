import Type, { type Static } from 'typebox';

/** What every failed request is answered with. */
export const Problem = Type.Object(
  {
    code: Type.String({ description: 'Stable; listed in docs/errors.md', examples: ['NETCON_API_BAD_REQUEST'] }),
    message: Type.String({ examples: ['querystring/pid must be integer'] }),
    hint: Type.String({ description: 'What to do', examples: ['the OpenAPI document is at /openapi.json'] }),
  },
  { $id: 'Problem' },
);

const Tap = Type.Object({
  name: Type.String({ examples: ['netcon0'] }),
  offload: Type.Boolean({ description: 'Checksum and segmentation offload', examples: [true] }),
  offloadReason: Type.Optional(Type.String({ description: 'Why there is none' })),
  addressesSet: Type.Boolean({ examples: [true] }),
  reason: Type.Optional(Type.String({ description: 'Why the host addresses could not be set' })),
});

/** GET /v1/status */
export const Status = Type.Object(
  {
    version: Type.String({ examples: ['0.1.0'] }),
    name: Type.String({ examples: ['netcon'] }),
    pid: Type.Integer({ examples: [4711] }),
    uptimeMs: Type.Integer({ examples: [61_000] }),
    socket: Type.String({ examples: ['/run/netcon/netcon.sock'] }),
    addresses: Type.Array(Type.String(), { examples: [['10.77.0.2/24', 'fd77::2/64']] }),
    hostAddresses: Type.Array(Type.String(), { examples: [['10.77.0.1/24', 'fd77::1/64']] }),
    gateways: Type.Array(Type.String(), { examples: [['10.77.0.1']] }),
    allow: Type.Array(Type.String(), { examples: [['user:root']] }),
    tap: Type.Union([Tap, Type.Null()], { description: 'null: programs reach each other only' }),
    tapProblem: Type.Optional(Problem),
    connections: Type.Integer({ examples: [2] }),
    listeners: Type.Integer({ examples: [1] }),
    sessions: Type.Integer({ examples: [3] }),
    sockets: Type.Integer({ examples: [4] }),
    counters: Type.Record(Type.String(), Type.Number(), {
      description: 'Since the start',
      examples: [{ framesIn: 4 }],
    }),
  },
  { $id: 'Status' },
);

export const SocketRow = Type.Object(
  {
    id: Type.Integer({ examples: [7] }),
    protocol: Type.String({ examples: ['tcp'] }),
    family: Type.Integer({ description: '4 or 6', examples: [4] }),
    state: Type.String({ description: "RFC 9293's name", examples: ['ESTABLISHED'] }),
    shortcut: Type.Boolean({
      description: 'Connected to the other program directly: the service moves and counts none of its bytes',
      examples: [false],
    }),
    local: Type.String({ examples: ['10.77.0.2:80'] }),
    peer: Type.String({ examples: ['10.77.0.1:43210'] }),
    recvQueue: Type.Integer({ description: 'Bytes not yet read by the program', examples: [0] }),
    sendQueue: Type.Integer({ description: 'Bytes not yet acknowledged by the peer', examples: [0] }),
    session: Type.Integer({ examples: [1] }),
    pid: Type.Integer({ examples: [4712] }),
    program: Type.String({ examples: ['nginx'] }),
    uid: Type.Integer({ examples: [33] }),
    ageMs: Type.Integer({ examples: [1500] }),
    rxBytes: Type.Integer({ examples: [812] }),
    txBytes: Type.Integer({ examples: [104_857] }),
    sender: Type.Optional(
      Type.Object(
        {
          congestion: Type.String({ examples: ['cubic'] }),
          cwnd: Type.Integer({ description: 'Bytes that may be under way', examples: [14_600] }),
          ssthresh: Type.Optional(
            Type.Integer({ description: 'Absent before the first congestion', examples: [29_200] }),
          ),
          rttMs: Type.Optional(Type.Number({ examples: [10.2] })),
          rttVariationMs: Type.Number({ examples: [0.4] }),
          minRttMs: Type.Number({ examples: [10] }),
          rtoMs: Type.Number({ examples: [210] }),
          inFlight: Type.Integer({ examples: [2920] }),
          lost: Type.Integer({ description: 'Bytes lost and not sent again yet', examples: [0] }),
          sacked: Type.Integer({ examples: [0] }),
          unsent: Type.Integer({ examples: [0] }),
          retransmissions: Type.Integer({ description: 'Segments sent again', examples: [0] }),
          timeouts: Type.Integer({ examples: [0] }),
          pacingRate: Type.Optional(Type.Integer({ description: 'Bytes a second', examples: [125_000] })),
          deliveryRate: Type.Integer({ description: 'Bytes a second, measured', examples: [118_000] }),
        },
        {
          description: 'How an open TCP connection sends',
          examples: [
            {
              ...{ congestion: 'cubic', cwnd: 14_600, rttMs: 10.2, rttVariationMs: 0.4, minRttMs: 10, rtoMs: 210 },
              ...{
                inFlight: 2920,
                lost: 0,
                sacked: 0,
                unsent: 0,
                retransmissions: 0,
                timeouts: 0,
                deliveryRate: 118_000,
              },
            },
          ],
        },
      ),
    ),
  },
  { $id: 'Socket' },
);

export const SessionRow = Type.Object(
  {
    id: Type.Integer({ examples: [2] }),
    pid: Type.Integer({ examples: [4712] }),
    uid: Type.Integer({ examples: [0] }),
    program: Type.String({ examples: ['nginx'] }),
    parent: Type.Optional(Type.Integer({ description: 'The session it was forked from', examples: [1] })),
    sockets: Type.Integer({ examples: [3] }),
    ageMs: Type.Integer({ examples: [1500] }),
  },
  { $id: 'Session' },
);

/** GET /v1/sockets */
export const SocketQuery = Type.Object({
  state: Type.Optional(Type.String({ description: 'Any case; "-" may be missing', examples: ['established'] })),
  pid: Type.Optional(Type.Integer({ minimum: 1, examples: [4712] })),
});

export const SocketList = Type.Array(SocketRow);
export const SessionList = Type.Array(SessionRow);

export type Problem = Static<typeof Problem>;
export type Status = Static<typeof Status>;
export type SocketRow = Static<typeof SocketRow>;
export type SessionRow = Static<typeof SessionRow>;
export type SocketQuery = Static<typeof SocketQuery>;
