"""Resets connections on command, by kernel TCP: each line names what is sent before; `go` resets."""
import socket, struct, threading

def serve(c):
    with c, c.makefile("rb") as lines:
        for line in lines:
            if line == b"go\n":
                c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return
            c.sendall(line.strip())

l = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True, backlog=100)
print("port", l.getsockname()[1], flush=True)
while True:
    threading.Thread(target=serve, args=(l.accept()[0],), daemon=True).start()
