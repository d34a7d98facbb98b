"""The other side of UDP tests: echoes, and does what a datagram asks for. Usage: udp-peer.py

Port 7777 echoes; 7778 takes and says nothing. "other" is answered from another port, "burst N" by N datagrams.
"""

import select
import socket

echo = []
for family, any_address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
    for port in (7777, 7778):
        sock = socket.socket(family, socket.SOCK_DGRAM)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((any_address, port))
        echo.append((port, sock))
other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
print("ready", flush=True)
by_fd = {sock.fileno(): (port, sock) for port, sock in echo}
while True:
    for fd in select.select(list(by_fd), [], [])[0]:
        port, sock = by_fd[fd]
        data, sender = sock.recvfrom(70000)
        if port == 7778:
            continue
        if data == b"other":
            other.sendto(b"from elsewhere", sender)
        elif data.startswith(b"burst "):
            for i in range(int(data[6:])):
                sock.sendto(b"%08d" % i, sender)
        else:
            sock.sendto(data, sender)
