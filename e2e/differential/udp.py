"""UDP and ping sockets, point by point. Runs natively and under netcon; the lines must be the same.

Usage: udp.py OWN4 PEER4 OWN6 PEER6, with programs/udp-peer.py at PEER. Waiting is by readiness with a deadline;
a time-out is used only where nothing must come.
"""

import array
import ctypes
import errno
import fcntl
import os
import select
import socket
import struct
import sys
import threading

OWN4, PEER4, OWN6, PEER6 = sys.argv[1:5]
V4, V6, DGRAM = socket.AF_INET, socket.AF_INET6, socket.SOCK_DGRAM
ECHO, SILENT, CLOSED = (PEER4, 7777), (PEER4, 7778), (PEER4, 9)
ECHO6, CLOSED6 = (PEER6, 7777), (PEER6, 9)
# On the link, and nobody's.
ABSENT4, ABSENT6 = OWN4.rsplit(".", 1)[0] + ".77", OWN6.rsplit(":", 1)[0] + ":77"
BROADCAST = OWN4.rsplit(".", 1)[0] + ".255"
QUIET = 0.2  # seconds in which nothing must come
NAMES = {OWN4: "OWN4", PEER4: "PEER4", OWN6: "OWN6", PEER6: "PEER6", ABSENT4: "ABSENT4", ABSENT6: "ABSENT6", BROADCAST: "BROADCAST"}
libc = ctypes.CDLL(None, use_errno=True)
POINTS = []


def point(name):
    def add(function):
        POINTS.append((name, function))
        return function

    return add


def plain(value):
    """Addresses by role, ephemeral ports as one."""
    if isinstance(value, (tuple, list)):
        return type(value)(plain(item) for item in value)
    if isinstance(value, str):
        return NAMES.get(value, value)
    if isinstance(value, int) and not isinstance(value, bool) and 32768 <= value < 61000:
        return "EPHEMERAL"
    return value


def tried(function, *args):
    try:
        return function(*args)
    except TimeoutError:
        return "nothing"
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))


def udp(family=V4, seconds=5):
    sock = socket.socket(family, DGRAM)
    sock.settimeout(seconds)
    return sock


def wait(sock, events=select.POLLIN, ms=5000):
    """The events that came; POLLOUT is always there and not waited for."""
    poll = select.poll()
    poll.register(sock, events)
    return [hex(found) for _, found in poll.poll(ms)]


def all_events(sock):
    return wait(sock, select.POLLIN | select.POLLOUT | select.POLLRDHUP | select.POLLPRI, 0)


def waiting_bytes(sock):
    value = array.array("i", [0])
    fcntl.ioctl(sock.fileno(), 0x541B, value)  # FIONREAD
    return value[0]


@point("types")
def _():
    return [[s.getsockopt(1, name) for name in (39, 38, 3)] for s in (udp(V4), udp(V6))]


@point("fresh names")
def _():
    return [(s.getsockname(), tried(s.getpeername), all_events(s)) for s in (udp(V4), udp(V6))]


@point("close-on-exec and non-blocking")
def _():
    s = socket.socket(V4, DGRAM | socket.SOCK_NONBLOCK)
    return fcntl.fcntl(s, fcntl.F_GETFD), bool(fcntl.fcntl(s, fcntl.F_GETFL) & os.O_NONBLOCK), tried(s.recv, 9)


@point("sendto, recvfrom")
def _():
    s = udp()
    return s.sendto(b"hi", ECHO), s.recvfrom(100), s.getsockname()


@point("sendto, recvfrom, IPv6")
def _():
    s = udp(V6)
    return s.sendto(b"hi", ECHO6), s.recvfrom(100), s.getsockname()


@point("IPv4-mapped addresses")
def _():
    s = udp(V6)
    s.sendto(b"hi", ("::ffff:" + PEER4, 7777))
    return s.recvfrom(100)[1][0] == "::ffff:" + PEER4


@point("IPV6_V6ONLY")
def _():
    s = udp(V6)
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    return tried(s.sendto, b"hi", ("::ffff:" + PEER4, 7777))


@point("connect")
def _():
    s = udp()
    s.connect(ECHO)
    return s.getsockname(), s.getpeername(), s.send(b"x"), s.recv(9), os.write(s.fileno(), b"yz"), s.recv(9)


@point("connected: others are not heard")
def _():
    s = udp(seconds=QUIET)
    s.connect(ECHO)
    s.send(b"other")
    return tried(s.recv, 9)


@point("unconnected: others are heard")
def _():
    s = udp()
    s.sendto(b"other", ECHO)
    return s.recvfrom(99)


@point("connect again, AF_UNSPEC")
def _():
    s = udp()
    s.connect(SILENT)
    s.connect(ECHO)
    result = [s.getpeername(), s.send(b"r"), s.recv(5)]
    result.append(libc.connect(s.fileno(), struct.pack("H14x", socket.AF_UNSPEC), 16))
    result += [tried(s.getpeername), s.getsockname()[0], tried(s.send, b"x")]
    return result + [s.sendto(b"z", ECHO), s.recvfrom(5)]


@point("sendto elsewhere on a connected socket")
def _():
    s = udp(seconds=QUIET)
    s.connect(SILENT)
    return s.sendto(b"z", ECHO), tried(s.recv, 9)


@point("send without an address")
def _():
    return tried(udp().send, b"x"), tried(udp(V6).send, b"x")


@point("length 0")
def _():
    s = udp()
    s.sendto(b"", ECHO)
    return wait(s), s.recvfrom(9), all_events(s)


@point("the longest datagram, and one byte more")
def _():
    s = udp()
    s.sendto(b"q" * 65507, ECHO)
    return len(s.recv(70000)), tried(s.sendto, b"q" * 65508, ECHO)


@point("fragments both ways")
def _():
    result = []
    for family, to in ((V4, ECHO), (V6, ECHO6)):
        s = udp(family)
        sent = os.urandom(8000)
        s.sendto(sent, to)
        result.append(s.recv(70000) == sent)
    return result


@point("path MTU discovery")
def _():
    s = udp()
    s.setsockopt(0, 10, 2)  # IP_MTU_DISCOVER, IP_PMTUDISC_DO
    s.connect(ECHO)
    return s.getsockopt(0, 14), tried(s.send, b"q" * 2000)


@point("truncation")
def _():
    s = udp()
    s.sendto(b"x" * 100, ECHO)
    data, _, flags, sender = s.recvmsg(10)
    s.sendto(b"x" * 100, ECHO)
    wait(s)
    return len(data), flags, sender, libc.recv(s.fileno(), ctypes.create_string_buffer(9), 9, 0x20)


@point("MSG_PEEK")
def _():
    s = udp()
    s.sendto(b"pk", ECHO)
    return s.recvfrom(9, 2), s.recvfrom(9, 2), s.recvfrom(9), all_events(s)


@point("FIONREAD")
def _():
    s = udp()
    s.sendto(b"abc", ECHO)
    wait(s)
    return waiting_bytes(s), s.recv(9), waiting_bytes(s)


@point("refused, connected")
def _():
    result = []
    for family, to in ((V4, CLOSED), (V6, CLOSED6)):
        s = udp(family)
        s.connect(to)
        s.send(b"x")
        result += [wait(s), s.getsockopt(1, 4), all_events(s), s.send(b"y"), wait(s), tried(s.send, b"z")]
        s.send(b"a")
        result.append(tried(s.recv, 9))
    return result


@point("refused, unconnected: silence")
def _():
    s = udp(seconds=QUIET)
    return s.sendto(b"x", CLOSED), tried(s.recv, 9)


@point("IP_RECVERR, MSG_ERRQUEUE")
def _():
    result = []
    for family, to, level, name in ((V4, CLOSED, 0, 11), (V6, CLOSED6, 41, 25)):
        s = udp(family)
        s.setsockopt(level, name, 1)
        s.sendto(b"x", to)
        result.append(wait(s))
        data, control, flags, sender = s.recvmsg(99, 512, 0x2000)
        # struct sock_extended_err: errno, origin, type, code.
        result += [data, [(a, b, struct.unpack("IBBBBII", c[:16])[:4]) for a, b, c in control], flags, sender]
    return result


@point("a neighbour that does not answer")
def _():
    """Told after three questions, a second apart: to who asked with IP_RECVERR, and to nobody else."""
    cases = [(V4, (ABSENT4, 7777), 0, 11), (V6, (ABSENT6, 7777), 41, 25)]
    watched, quiet = [], []
    for family, to, level, name in cases:
        s = udp(family)
        s.setsockopt(level, name, 1)
        s.sendto(b"x", to)
        watched.append(s)
        s = udp(family, seconds=QUIET)
        s.connect(to)
        s.send(b"x")
        quiet.append(s)
    result = []
    for s in watched:
        result += [wait(s, ms=15000), tried(s.sendto, b"y", ECHO if s.family == V4 else ECHO6)]
        data, control, flags, sender = s.recvmsg(99, 512, 0x2000)
        # struct sock_extended_err, then who said so.
        errors = [(a, b, struct.unpack("IBBBBII", c[:16])[:4], c[16:].hex()) for a, b, c in control]
        result += [data, errors, flags, sender, all_events(s)]
    return result, [tried(s.recv, 9) for s in quiet]


@point("IP_PKTINFO, TTL, TOS")
def _():
    s = udp()
    for level, name in ((0, 8), (0, 12), (0, 13), (1, 40)):  # and SO_RXQ_OVFL
        s.setsockopt(level, name, 1)
    s.bind(("0.0.0.0", 0))
    s.sendto(b"x", ECHO)
    _, control, _, _ = s.recvmsg(99, 512)
    result = [
        (level, name, socket.inet_ntoa(value[4:8]) if name == 8 else value.hex()) for level, name, value in control
    ]
    source = struct.pack("I4s4s", 0, socket.inet_aton(OWN4), bytes(4))
    result.append(s.sendmsg([b"p1", b"p2"], [(0, 8, source)], 0, ECHO))
    foreign = struct.pack("I4s4s", 0, socket.inet_aton("1.2.3.4"), bytes(4))
    return result + [s.recv(9), tried(udp().sendmsg, [b"x"], [(0, 8, foreign)], 0, ECHO)]


@point("IPV6_PKTINFO")
def _():
    s = udp(V6)
    s.setsockopt(41, 49, 1)
    s.sendto(b"x", ECHO6)
    return [(level, name, socket.inet_ntop(V6, value[:16])) for level, name, value in s.recvmsg(99, 512)[1]]


@point("bind: conflicts, foreign addresses")
def _():
    s = udp()
    s.bind((OWN4, 5353))
    again = [tried(udp().bind, (host, 5353)) for host in ("0.0.0.0", OWN4, "127.0.0.1")]
    return again, tried(s.bind, (OWN4, 5354)), tried(udp().bind, ("1.2.3.4", 0)), tried(udp(V6).bind, ("::", 5353))


@point("SO_REUSEPORT spreads")
def _():
    sockets = []
    for _ in range(2):
        s = udp()
        s.setsockopt(1, 15, 1)
        s.bind((OWN4, 5355))
        s.setblocking(False)
        sockets.append(s)
    for _ in range(60):
        udp().sendto(b"x", (OWN4, 5355))
    counts = []
    for s in sockets:
        count = 0
        while tried(s.recv, 9) == b"x":
            count += 1
        counts.append(count)
    return sum(counts), min(counts) > 0


@point("broadcast")
def _():
    s = udp()
    without = tried(s.sendto, b"x", (BROADCAST, 7777))
    s.setsockopt(1, 6, 1)
    return without, s.sendto(b"all", (BROADCAST, 7777)), s.recvfrom(9)


@point("multicast")
def _():
    listener, sender = udp(), udp()
    listener.bind(("", 5007))
    listener.setsockopt(0, 35, socket.inet_aton("239.1.2.3") + socket.inet_aton(OWN4))
    sender.setsockopt(0, 32, socket.inet_aton(OWN4))
    sender.sendto(b"mc", ("239.1.2.3", 5007))
    return listener.recvfrom(9)


@point("own address and loopback")
def _():
    result = []
    for family, host in ((V4, OWN4), (V4, "127.0.0.1"), (V6, OWN6), (V6, "::1")):
        server, client = udp(family), udp(family)
        server.bind((host, 0))
        client.sendto(b"x", server.getsockname())
        result.append(server.recvfrom(9))
    return result


@point("shutdown")
def _():
    a, b, c = udp(), udp(), udp(seconds=QUIET)
    b.connect(ECHO)
    c.connect(ECHO)
    b.shutdown(1)
    c.shutdown(0)
    return tried(a.shutdown, 0), tried(b.send, b"x"), all_events(b), all_events(c), tried(c.recv, 9)


@point("shutdown wakes a receiver")
def _():
    s = udp(seconds=None)
    s.connect(ECHO)
    result = []
    thread = threading.Thread(target=lambda: result.append(s.recv(9)))
    thread.start()
    while thread.is_alive():
        tried(s.shutdown, 0)
        thread.join(0.05)
    return result


@point("listen, accept")
def _():
    return tried(udp().listen, 1), tried(udp(seconds=QUIET).accept)


@point("dup, fork, SCM_RIGHTS")
def _():
    s = udp()
    copy = os.dup(s.fileno())
    s.connect(ECHO)
    os.write(copy, b"dup")
    result = [s.recv(9)]
    pid = os.fork()
    if pid == 0:
        s.send(b"child")
        os._exit(0)
    os.waitpid(pid, 0)
    result.append(s.recv(9))
    a, b = socket.socketpair()
    socket.send_fds(a, [b"x"], [s.fileno()])
    passed = socket.recv_fds(b, 1, 1)[1][0]
    os.write(passed, b"passed")
    return result + [s.recv(9)]


@point("exec keeps it")
def _():
    s = udp()
    s.connect(ECHO)
    os.set_inheritable(s.fileno(), True)
    pid = os.fork()
    if pid == 0:
        program = "import socket, sys; s = socket.socket(fileno=int(sys.argv[1])); s.send(b'exec'); s.connect(s.getpeername())"
        os.execv(sys.executable, [sys.executable, "-c", program, str(s.fileno())])
    return os.waitpid(pid, 0)[1], s.recv(9)


@point("epoll, edge-triggered")
def _():
    s = udp()
    s.setblocking(False)
    epoll = select.epoll()
    epoll.register(s, select.EPOLLIN | select.EPOLLOUT | select.EPOLLET)
    result = [[e for _, e in epoll.poll(1)], epoll.poll(0)]
    s.sendto(b"1", ECHO)
    wait(s)
    result.append([bool(e & select.EPOLLIN) for _, e in epoll.poll(1)])
    return result + [s.recv(9), tried(s.recv, 9)]


@point("a full receive buffer drops")
def _():
    s, other = udp(), udp()
    s.setsockopt(1, 8, 4096)
    s.bind((OWN4, 0))
    for _ in range(200):
        other.sendto(b"x" * 50, s.getsockname())
    s.setblocking(False)
    count = 0
    while tried(s.recv, 99) == b"x" * 50:
        count += 1
    return 0 < count < 200


@point("UDP_SEGMENT")
def _():
    s = udp()
    s.connect(ECHO)
    s.setsockopt(17, 103, 100)
    s.send(b"g" * 350)
    return sorted(len(s.recv(999)) for _ in range(4))


@point("options")
def _():
    s = udp()
    before = s.getsockopt(0, 2), s.getsockopt(1, 7) == s.getsockopt(1, 8)
    s.setsockopt(0, 2, 5)
    s.setsockopt(0, 1, 16)
    return before, s.getsockopt(0, 2), s.getsockopt(0, 1), s.getsockopt(1, 47, 8).hex()


@point("ping sockets")
def _():
    result = []
    for family, protocol, kind, to in ((V4, 1, 8, PEER4), (V6, 58, 128, PEER6), (V4, 1, 8, "127.0.0.1")):
        s = socket.socket(family, DGRAM, protocol)
        s.settimeout(5)
        s.sendto(struct.pack("!BBHHH", kind, 0, 0, 0, 7) + b"abcdefgh", (to, 0))
        data, sender = s.recvfrom(99)
        result.append((data[0], data[1], data[6:], sender))
    return result


@point("protocols")
def _():
    return [
        tried(lambda: socket.socket(*args).proto) for args in ((V4, DGRAM, 17), (V6, DGRAM, 17), (V4, DGRAM, 58), (V6, DGRAM, 1))
    ]


@point("two processes share a socket")
def _():
    s = udp()
    s.bind((OWN4, 0))
    s.settimeout(QUIET)
    reader, writer = os.pipe()
    children = []
    for _ in range(2):
        pid = os.fork()
        if pid == 0:
            count = 0
            while tried(s.recv, 9) == b"x":
                count += 1
            os.write(writer, struct.pack("i", count))
            os._exit(0)
        children.append(pid)
    sender = udp()
    for _ in range(40):
        sender.sendto(b"x", s.getsockname())
    for pid in children:
        os.waitpid(pid, 0)
    return sum(struct.unpack("ii", os.read(reader, 8)))


@point("no way there")
def _():
    return tried(udp().sendto, b"x", ("192.0.2.1", 9)), tried(udp(V6).sendto, b"x", ("2001:db8::1", 9))


for name, function in POINTS:
    print(f"-- {name}")
    try:
        print(plain(function()), flush=True)
    except Exception as error:
        print(repr(error), flush=True)
