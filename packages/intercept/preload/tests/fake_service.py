"""A service without a stack: admits, hands out marked sockets, and notes what it was asked.

For tests of the library alone: its channel, its guards, what it refuses. The frames are those of
packages/core-rs/crates/wire, written out so that a change there shows here.
"""

import array
import os
import selectors
import socket
import struct
import tempfile
import threading

HELLO, ATTACH, SOCKET, BIND, GETSOCKNAME = 1, 2, 3, 4, 8
HEADER = struct.Struct("<HBBHHII")
MAGIC = 0x434E
SO_MAX_PACING_RATE = 47
EPROTONOSUPPORT = 93
EOPNOTSUPP = 95
UDP = 1
DATAGRAM = (0x4E63 << 48) | (3 << 44)
FRESH = 0


def mark(family, state, ident):
    v6 = 1 if family == socket.AF_INET6 else 0
    return (0x4E63 << 48) | (1 << 44) | (state << 40) | (v6 << 32) | ident


class FakeService:
    def __init__(self, refuse=None, path=None):
        self.path = path or os.path.join(tempfile.mkdtemp(prefix="netcon-test-"), "s.sock")
        self.refuse = refuse
        self.no_datagrams = False
        self.asked = []
        self.channels = {}
        self.sessions = 0
        self.ids = 0
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(self.path)
        self.listener.listen(16)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.waker, waker = socket.socketpair()
        self.selector.register(waker, selectors.EVENT_READ)
        self.waker_end = waker
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def ops(self, op):
        return [entry for entry in self.asked if entry[0] == op]

    def close(self):
        """Dies: every channel is closed."""
        self.waker.send(b"x")
        self.thread.join()
        for channel in list(self.channels):
            channel.close()
        self.listener.close()
        os.unlink(self.path)

    def run(self):
        while True:
            for key, _ in self.selector.select():
                if key.fileobj is self.listener:
                    self.add(self.listener.accept()[0])
                elif key.fileobj is self.waker_end:
                    return
                else:
                    self.serve(key.fileobj)

    def add(self, channel):
        self.channels[channel] = None
        self.selector.register(channel, selectors.EVENT_READ)

    def serve(self, channel):
        try:
            frame, ancillary, _, _ = channel.recvmsg(2048, 256)
        except OSError:
            frame, ancillary = b"", []
        if not frame:
            self.selector.unregister(channel)
            del self.channels[channel]
            channel.close()
            return
        fds = array.array("i")
        for _, _, data in ancillary:
            fds.frombytes(data)
        _, _, _, op, _, ident, length = HEADER.unpack_from(frame)
        payload = frame[HEADER.size : HEADER.size + length]
        self.answer(channel, op, ident, payload, list(fds))
        for fd in fds:
            os.close(fd)

    def answer(self, channel, op, ident, payload, fds):
        if op in (HELLO, ATTACH):
            pid, name_len = struct.unpack_from("<IH", payload)
            program = payload[6 : 6 + name_len].decode()
            self.asked.append((op, pid, program))
            if op == ATTACH:
                channel = socket.socket(fileno=os.dup(fds[0]))
                self.add(channel)
            self.sessions += 1
            self.channels[channel] = self.sessions
            message = (self.refuse or "").encode()
            status = 13 if self.refuse else 0
            body = struct.pack("<IIH", status, self.sessions, len(message)) + message + b"\0"
            self.reply(channel, op, ident, body)
            return
        session = self.channels[channel]
        if op == SOCKET:
            family, flags = struct.unpack_from("<HB", payload)
            self.asked.append((op, session, family, flags))
            self.ids += 1
            if len(payload) > 3 and payload[3] != 0:
                self.datagram(channel, ident, family, payload[3])
                return
            made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            made.setblocking(not flags & 1)
            value = struct.pack("<Q", mark(family, FRESH, self.ids))
            made.setsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE, value)
            self.reply(channel, op, ident, struct.pack("<II", 0, self.ids), [made.fileno()])
            made.close()
            return
        self.asked.append((op, session, len(fds)))
        if op == BIND:
            self.reply(channel, op, ident, struct.pack("<I", 0) + payload[:24])
            return
        if op == GETSOCKNAME:
            self.reply(channel, op, ident, struct.pack("<IHHI16x", 0, socket.AF_INET, 0, 0))
            return
        self.reply(channel, op, ident, struct.pack("<I", EOPNOTSUPP))

    def datagram(self, channel, ident, family, kind):
        """A kernel socket of this process's network, marked; or none."""
        if self.no_datagrams or kind != UDP:
            self.reply(channel, SOCKET, ident, struct.pack("<I", EPROTONOSUPPORT))
            return
        made = socket.socket(family, socket.SOCK_DGRAM)
        made.setsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE, struct.pack("<Q", DATAGRAM))
        self.reply(channel, SOCKET, ident, struct.pack("<II", 0, 0xFFFFFFFF), [made.fileno()])
        made.close()

    @staticmethod
    def reply(channel, op, ident, body, fds=()):
        frame = HEADER.pack(MAGIC, 1, 0, op, 1, ident, len(body)) + body
        socket.send_fds(channel, [frame], list(fds))
