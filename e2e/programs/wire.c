/*
 * A client of programs/wire-peer.py, over a wire: wire FAMILY HOST PORT SILENT NOWHERE. SILENT is an address of the network that nobody
 * has, NOWHERE one that no route leads to. Printed as in differential/.
 */
#include "../differential/d.h"

static Addr peer;

/* A connection on which the peer will do as told. */
static int told(const char *what)
{
	int c = client(&peer);
	dprintf(c, "%s\n", what);
	return c;
}

static void one_way(void)
{
	char b[64];
	static char bulk[1 << 20];
	printf("-- the peer ends its half, then reads on\n");
	int c = told("half");
	CALL(read_all(c, b, 64));
	SHOW_EVENTS(c, POLLIN | POLLRDHUP);
	CALL(write_all(c, bulk, sizeof bulk));
	CALL(shutdown(c, SHUT_WR));
	SHOW_EVENTS(c, POLLIN | POLLOUT | POLLRDHUP | POLLHUP);
	CALL(read(c, b, 1));
	close(c);
	printf("-- our half first\n");
	c = told("count");
	CALL(write_all(c, bulk, sizeof bulk));
	CALL(shutdown(c, SHUT_WR));
	long n = read_all(c, b, 63);
	b[n < 0 ? 0 : n] = 0;
	printf("peer counted %s", b);
	CALL(read(c, b, 1));
	close(c);
}

static void resets(void)
{
	char b[64];
	printf("-- reset, nothing to read\n");
	int c = told("reset");
	SHOW_EVENTS(c, POLLERR | POLLHUP);
	CALL(read(c, b, 64));
	CALL(read(c, b, 64));
	CALL(write(c, b, 1));
	close(c);
	printf("-- reset behind data\n");
	c = told("data-reset");
	SHOW_EVENTS(c, POLLIN | POLLERR | POLLHUP);
	CALL(read(c, b, 64));
	CALL(read(c, b, 64));
	close(c);
	printf("-- reset in a blocked read\n");
	c = told("late-reset");
	CALL(read(c, b, 64));
	close(c);
	printf("-- seen by SO_ERROR\n");
	c = told("reset");
	wait_for(c, POLLERR | POLLHUP);
	printf("SO_ERROR %s\n", so_error(c));
	printf("SO_ERROR %s\n", so_error(c));
	close(c);
	printf("-- we close with unread data: the peer sees a reset\n");
	c = told("flood");
	wait_bytes(c, 1000);
	close(c);
	c = told("last");
	CALL(read_all(c, b, 64));
	b[20] = 0;
	printf("%.*s\n", (int)strcspn(b, "\n"), b);
	close(c);
	printf("-- SO_LINGER 0: the peer sees a reset\n");
	c = told("flood");
	struct linger l = {1, 0};
	setsockopt(c, SOL_SOCKET, SO_LINGER, &l, sizeof l);
	close(c);
	c = told("last");
	CALL(read_all(c, b, 64));
	printf("%.*s\n", (int)strcspn(b, "\n"), b);
	close(c);
}

static void refused(void)
{
	printf("-- refused by the host\n");
	Addr bad = peer;
	if (family == AF_INET6)
		bad.v6.sin6_port = htons(1);
	else
		bad.v4.sin_port = htons(1);
	int c = tcp(0);
	CALL(connect(c, &bad.sa, addr_len(&bad)));
	close(c);
	c = tcp(SOCK_NONBLOCK);
	CALL(connect(c, &bad.sa, addr_len(&bad)));
	SHOW_EVENTS(c, POLLERR | POLLHUP);
	printf("SO_ERROR %s\n", so_error(c));
	close(c);
}

static void unreachable(const char *silent, const char *nowhere)
{
	Addr a = addr_of(family, nowhere, 80), s = addr_of(family, silent, 80);
	printf("-- no route\n");
	int c = tcp(0), d = tcp(SOCK_NONBLOCK), e = tcp(0);
	CALL(connect(c, &a.sa, addr_len(&a)));
	CALL(connect(d, &a.sa, addr_len(&a)));
	printf("events %s\n", events_text(poll_now(d)));
	CALL(connect(d, &peer.sa, addr_len(&peer)));
	SHOW_EVENTS(d, POLLOUT);
	close(c), close(d);
	printf("-- nobody answers\n");
	d = tcp(SOCK_NONBLOCK);
	CALL(connect(d, &s.sa, addr_len(&s)));
	CALL(connect(d, &s.sa, addr_len(&s)));
	printf("events %s\n", events_text(poll_now(d)));
	CALL(connect(e, &s.sa, addr_len(&s)));
	SHOW_EVENTS(d, POLLERR | POLLHUP);
	printf("SO_ERROR %s\n", so_error(d));
	close(d), close(e);
	printf("-- given up by a timeout\n");
	c = tcp(0);
	struct timeval t = {0, 200000};
	setsockopt(c, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t);
	CALL(connect(c, &s.sa, addr_len(&s)));
	printf("events %s\n", events_text(poll_now(c)));
	close(c);
}

static void addresses(void)
{
	printf("-- names\n");
	int c = told("who");
	char said[128] = "", mine[INET6_ADDRSTRLEN];
	read_all(c, said, 127);
	Addr name = name_of(c);
	inet_ntop(family, family == AF_INET6 ? (void *)&name.v6.sin6_addr : (void *)&name.v4.sin_addr, mine, sizeof mine);
	char expected[128];
	snprintf(expected, sizeof expected, "%s %d\n", mine, port_of(&name));
	printf("our address is %s\n", mine);
	printf("the peer sees our address and port: %d\n", strcmp(said, expected) == 0);
	show_peer("c", c);
	close(c);
	printf("-- bound to a port\n");
	Addr a = family == AF_INET6 ? addr_of(AF_INET6, "::", 0) : addr_of(AF_INET, "0.0.0.0", 0);
	c = tcp(0);
	CALL(bind(c, &a.sa, addr_len(&a)));
	name = name_of(c);
	int port = port_of(&name);
	CALL(connect(c, &peer.sa, addr_len(&peer)));
	name = name_of(c);
	printf("the port stays %d\n", port_of(&name) == port);
	close(c);
	a = loopback(0);
	c = tcp(0);
	CALL(bind(c, &a.sa, addr_len(&a)));
	close(c);
}

int main(int argc, char **argv)
{
	start(argc, argv);
	if (argc < 6)
		return 2;
	peer = addr_of(family, argv[2], atoi(argv[3]));
	label_port(atoi(argv[3]), "L");
	addresses();
	one_way();
	resets();
	refused();
	unreachable(argv[4], argv[5]);
	return 0;
}
