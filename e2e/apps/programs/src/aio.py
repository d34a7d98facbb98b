import asyncio, sys, os, hashlib
async def handle(r, w):
    try:
        while True:
            n = int.from_bytes(await r.readexactly(4), 'big'); b = await r.readexactly(n)
            w.write(n.to_bytes(4,'big') + b); await w.drain()
    except asyncio.IncompleteReadError: pass
    finally: w.close()
class U(asyncio.DatagramProtocol):
    def connection_made(self, t): self.t = t
    def datagram_received(self, d, a): self.t.sendto(d, a)
async def server(h, p):
    s = await asyncio.start_server(handle, h, p, backlog=100)
    if UDP: await asyncio.get_running_loop().create_datagram_endpoint(U, local_addr=(h, p))
    async with s: await s.serve_forever()
async def one(h, p, k):
    r, w = await asyncio.open_connection(h, p)
    for i in range(10):
        b = os.urandom(20000 + k*1000); w.write(len(b).to_bytes(4,'big') + b); await w.drain()
        n = int.from_bytes(await r.readexactly(4), 'big'); assert await r.readexactly(n) == b
    w.close(); await w.wait_closed()
async def client(h, p):
    await asyncio.wait_for(asyncio.gather(*[one(h, p, k) for k in range(30)]), 25)
    if not UDP: return print("asyncio, epoll selector, 30 streams x 10 echoes")
    loop = asyncio.get_running_loop(); f = loop.create_future()
    class P(asyncio.DatagramProtocol):
        def connection_made(s, t): t.sendto(b'ping')
        def datagram_received(s, d, a): f.done() or f.set_result(d)
    t, _ = await loop.create_datagram_endpoint(P, remote_addr=(h, p)); assert await asyncio.wait_for(f, 3) == b'ping'; t.close()
    print('asyncio', 'uvloop' if 'uvloop' in sys.modules else 'epoll selector', '30 streams x 10 echoes, UDP echo')
UDP = 'udp=0' not in sys.argv
if 'uvloop' in sys.argv: import uvloop; uvloop.install()
asyncio.run((server if sys.argv[1]=='server' else client)(sys.argv[2], int(sys.argv[3])))
