"""Everything that a reset by the peer can look like to a program that reads; prints a line for each."""
import ctypes, errno, os, select, socket, sys, threading

host, port, dumpable = sys.argv[1], int(sys.argv[2]), sys.argv[3] != "no-rights"
if not dumpable:
    # prctl(2), PR_SET_DUMPABLE: nobody without CAP_SYS_PTRACE may reach into this process any more.
    assert ctypes.CDLL(None, use_errno=True).prctl(4, 0, 0, 0, 0) == 0
if len(sys.argv) > 4:
    print("ready", flush=True)
    sys.stdin.readline()

def into(read):
    def call(fd):
        buf = bytearray(100)
        return bytes(buf[:read(fd, buf)])
    return call

READS = {
    "recv": lambda s: s.recv(100),
    "read": lambda s: os.read(s.fileno(), 100),
    "readv": into(lambda s, buf: os.readv(s.fileno(), [buf])),
    "recvmsg": lambda s: s.recvmsg(100)[0],
    "recvfrom": lambda s: s.recvfrom(100)[0],
    "peek": lambda s: s.recv(100, socket.MSG_PEEK),
}

def outcome(call, s):
    try:
        return repr(call(s))
    except OSError as e:
        return errno.errorcode[e.errno]

def connected():
    s = socket.create_connection((host, port), 10)
    s.settimeout(None)
    return s

def poll(s, wanted):
    p = select.poll()
    p.register(s, 0)
    while True:
        got = p.poll(10000)
        assert got, "no reset in 10 s"
        if got[0][1] & wanted:
            return

def in_read(tid):
    """Whether that thread sleeps in the kernel."""
    with open("/proc/self/task/%d/stat" % tid) as f:
        return f.read().rsplit(") ", 1)[1][0] == "S"

for data in (b"", b"data"):
    for name, read in READS.items():
        for when in ("before", "blocked"):
            s = connected()
            if data:
                s.sendall(data + b"\n")
                assert s.recv(100, socket.MSG_PEEK) == data
            said = []
            if when == "before":
                s.sendall(b"go\n")
                poll(s, select.POLLHUP | select.POLLERR)
                said = [outcome(read, s) for _ in range(3)]
            else:
                if data:
                    said.append(outcome(READS["recv"], s))
                tids = []
                def run():
                    tids.append(threading.get_native_id())
                    said.append(outcome(read, s))
                t = threading.Thread(target=run)
                t.start()
                while not tids or not in_read(tids[0]):
                    pass
                s.sendall(b"go\n")
                t.join(10)
                said.append(outcome(read, s))
            print(name, when, data, *said)
            s.close()
    for edge in (False, True):
        s = connected()
        s.setblocking(False)
        if data:
            s.sendall(data + b"\n")
        e = select.epoll()
        e.register(s, select.EPOLLIN | select.EPOLLRDHUP | (select.EPOLLET if edge else 0))
        said, sent = [], False
        while True:
            if not sent and (not data or said):
                s.sendall(b"go\n")
                sent = True
            events = e.poll(10)
            assert events, "no event in 10 s"
            got = outcome(READS["recv"], s)
            if got != "EAGAIN":
                said.append(got)
            if got not in ("EAGAIN", repr(data)):
                break
        print("epoll", "edge" if edge else "level", data, *said, outcome(READS["recv"], s))
        s.close()
