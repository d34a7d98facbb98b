"""Speaks to a service's socket as no library would: misbehave.py SOCKET SEED ROUNDS. Prints "done"."""
import array
import os
import random
import socket
import struct
import sys

path, seed, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
rng = random.Random(seed)


def connect():
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.settimeout(2)
    s.connect(path)
    return s


def frame(op, payload=b"", magic=b"NC", major=1, minor=0, flags=0, ident=7, length=None):
    return magic + struct.pack("<BBHHII", major, minor, op, flags, ident, len(payload) if length is None else length) + payload


def hello():
    s = connect()
    s.send(frame(1, struct.pack("<IH", os.getpid(), 4) + b"evil"))
    reply = s.recv(4096)
    assert len(reply) >= 16, reply
    return s


def send(s, data, fds=()):
    ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    try:
        s.sendmsg([data], ancillary, socket.MSG_DONTWAIT)
    except OSError:
        return False
    return True


def drain(s):
    """Takes what was answered; descriptors that came with it are closed."""
    s.settimeout(0.02)
    try:
        while True:
            data, ancillary, _, _ = s.recvmsg(4096, 256)
            for level, kind, value in ancillary:
                for fd in array.array("i", value[: len(value) - len(value) % 4]):
                    os.close(fd)
            if not data:
                return False
    except OSError:
        pass
    return True


def any_fds():
    made = []
    for _ in range(rng.choice([0, 0, 1, 1, 2, 5, 60])):
        kind = rng.randrange(6)
        if kind == 0:
            made.append(os.open("/dev/null", os.O_RDWR))
        elif kind == 1:
            made.append(os.open("/", os.O_RDONLY))
        elif kind == 2:
            made.extend(os.pipe())
        elif kind == 3:
            made.append(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM).detach())
        elif kind == 4:
            made.extend(x.detach() for x in socket.socketpair(socket.AF_UNIX, rng.choice([socket.SOCK_STREAM, socket.SOCK_SEQPACKET, socket.SOCK_DGRAM])))
        else:
            made.append(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).detach())
    return made


def some_frame():
    op = rng.choice([*range(0, 20), 255, 65535])
    payload = rng.randbytes(rng.choice([0, 1, 2, 3, 4, 7, 8, 16, 19, 28, 64, 300, 1008]))
    kind = rng.randrange(8)
    if kind == 0:
        return rng.randbytes(rng.randrange(0, 64))
    if kind == 1:
        return frame(op, payload, length=rng.choice([0, 1, 0xFFFFFFFF, 0x7FFFFFFF, 1009, len(payload) + 1]))
    if kind == 2:
        return frame(op, payload, major=rng.randrange(256), minor=rng.randrange(256))
    if kind == 3:
        return frame(op, payload, flags=rng.randrange(65536))
    if kind == 4:
        return frame(op, payload)[: rng.randrange(0, 16)]
    if kind == 5:
        return frame(op, rng.randbytes(20000))
    return frame(op, payload)


for i in range(rounds):
    s = hello() if rng.random() < 0.8 else connect()
    for _ in range(rng.randrange(1, 12)):
        fds = any_fds()
        sent = send(s, some_frame(), fds)
        for fd in fds:
            os.close(fd)
        if not sent or (rng.random() < 0.3 and not drain(s)):
            break
    # A socket of the service's own, with requests that make no sense for it.
    if rng.random() < 0.5 and send(s, frame(3, struct.pack("<HB", rng.choice([2, 10]), 0))):
        s.settimeout(0.2)
        try:
            _, ancillary, _, _ = s.recvmsg(4096, 256)
            own = [fd for _, _, value in ancillary for fd in array.array("i", value[: len(value) - len(value) % 4])]
            for _ in range(6):
                fds = (own * 3)[: rng.randrange(0, 3)]
                send(s, frame(rng.randrange(3, 16), rng.randbytes(rng.choice([0, 4, 8, 12, 20, 40]))), fds)
            for fd in own:
                if rng.random() < 0.3:
                    try:
                        os.write(fd, b"into the void")
                    except OSError:
                        pass
                os.close(fd)
        except OSError:
            pass
    if rng.random() < 0.7:
        drain(s)
    s.close()
# Connections that never say anything, and one that never reads its answers.
silent = [connect() for _ in range(20)]
deaf = hello()
for _ in range(5000):
    if not send(deaf, frame(3, struct.pack("<HB", 2, 0))):
        break
print("done")
