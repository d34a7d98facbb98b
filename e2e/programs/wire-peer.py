"""The other end of programs/wire.c, over kernel TCP: wire-peer.py HOST PORT. Each connection says in a line what to do."""
import socket
import struct
import sys
import threading

last = threading.Event()
outcome = ""


def reset(c):
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def serve(c, address):
    global outcome
    word = b""
    while not word.endswith(b"\n"):
        got = c.recv(1)
        if not got:
            return
        word += got
    word = word.strip().decode()
    if word == "half":
        c.sendall(b"0123456789")
        c.shutdown(socket.SHUT_WR)
        while c.recv(65536):
            pass
    elif word == "count":
        n = 0
        while got := c.recv(65536):
            n += len(got)
        c.sendall(b"%d\n" % n)
    elif word == "reset":
        reset(c)
    elif word == "data-reset":
        c.sendall(b"some data")
        threading.Event().wait(0.1)
        reset(c)
    elif word == "late-reset":
        threading.Event().wait(0.1)
        reset(c)
    elif word == "flood":
        last.clear()
        try:
            while True:
                c.sendall(b"x" * 10000)
        except OSError as e:
            outcome = type(e).__name__
        last.set()
    elif word == "last":
        last.wait(5)
        c.sendall(outcome.encode() + b"\n")
    elif word == "who":
        c.sendall(b"%s %d\n" % (address[0].encode(), address[1]))
    c.close()


l = socket.create_server((sys.argv[1], int(sys.argv[2])), family=socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET)
print("up", flush=True)
while True:
    threading.Thread(target=serve, args=l.accept(), daemon=True).start()
