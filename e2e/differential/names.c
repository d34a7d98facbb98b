/* getsockname and getpeername in every state; IPv4, IPv6, IPv4-mapped; truncation and bad arguments. */
#include "d.h"

static void states(void)
{
	printf("-- states\n");
	int l = tcp(0);
	show_name("new", l);
	show_peer("new", l);
	Addr a = wildcard(0);
	CALL(bind(l, &a.sa, addr_len(&a)));
	Addr at = name_of(l);
	label_port(port_of(&at), "L");
	show_name("bound", l);
	show_peer("bound", l);
	CALL(listen(l, 4));
	show_name("listening", l);
	show_peer("listening", l);
	Addr to = loopback(port_of(&at));
	int c = client(&to);
	Addr name = name_of(c);
	label_port(port_of(&name), "C");
	show_name("c", c);
	show_peer("c", c);
	Addr from;
	socklen_t len = sizeof from;
	memset(&from, 0, sizeof from);
	int s = accept(l, &from.sa, &len);
	printf("accept: %s len %u\n", addr_text(&from), len);
	show_name("s", s);
	show_peer("s", s);
	shutdown(c, SHUT_WR);
	wait_for(s, POLLIN | POLLRDHUP);
	show_name("s half-closed", s);
	show_peer("s half-closed", s);
	close(s);
	wait_for(c, POLLHUP);
	show_name("c closed", c);
	show_peer("c closed", c);
	close(c);
	close(l);
}

static void bound_client(void)
{
	printf("-- client bound to an address\n");
	Addr at, mine = loopback(0);
	int l = listener(4, &at), c = tcp(0);
	CALL(bind(c, &mine.sa, addr_len(&mine)));
	Addr name = name_of(c);
	label_port(port_of(&name), "B");
	show_name("c", c);
	CALL(connect(c, &at.sa, addr_len(&at)));
	show_name("c", c);
	int s = accepted(l);
	show_peer("s", s);
	close(c), close(s), close(l);
}

static void other_loopback(void)
{
	if (family != AF_INET)
		return;
	printf("-- another address of 127.0.0.0/8\n");
	Addr a = addr_of(AF_INET, "127.1.2.3", 0), b = addr_of(AF_INET, "127.9.9.9", 0);
	int l = tcp(0), c = tcp(0);
	CALL(bind(l, &a.sa, sizeof a.v4));
	Addr at = name_of(l);
	label_port(port_of(&at), "L");
	CALL(listen(l, 4));
	CALL(bind(c, &b.sa, sizeof b.v4));
	CALL(connect(c, &at.sa, sizeof at.v4));
	Addr name = name_of(c);
	label_port(port_of(&name), "C");
	int s = accepted(l);
	show_name("s", s);
	show_peer("s", s);
	close(c), close(s), close(l);
	printf("-- connect to 0.0.0.0 is connect to this host\n");
	l = listener(4, &at);
	Addr zero = addr_of(AF_INET, "0.0.0.0", port_of(&at));
	c = tcp(0);
	CALL(connect(c, &zero.sa, sizeof zero.v4));
	show_peer("c", c);
	close(c), close(l);
}

static void mapped(void)
{
	if (family != AF_INET6)
		return;
	printf("-- IPv4 client of a dual-stack listener\n");
	Addr any = addr_of(AF_INET6, "::", 0);
	int l = tcp(0);
	CALL(int_option(l, IPPROTO_IPV6, IPV6_V6ONLY));
	CALL(bind(l, &any.sa, sizeof any.v6));
	CALL(listen(l, 4));
	Addr at = name_of(l);
	label_port(port_of(&at), "L");
	Addr v4 = addr_of(AF_INET, "127.0.0.1", port_of(&at));
	int c = socket(AF_INET, SOCK_STREAM, 0);
	CALL(connect(c, &v4.sa, sizeof v4.v4));
	Addr name = name_of(c), from;
	label_port(port_of(&name), "C");
	socklen_t len = sizeof from;
	memset(&from, 0, sizeof from);
	int s = accept(l, &from.sa, &len);
	printf("accept: %s len %u\n", addr_text(&from), len);
	show_name("s", s);
	show_peer("s", s);
	show_works("pair", c, s);
	close(c), close(s);
	printf("-- IPv6 socket to an IPv4-mapped address\n");
	Addr v4mapped = addr_of(AF_INET6, "::ffff:127.0.0.1", port_of(&at));
	c = tcp(0);
	CALL(connect(c, &v4mapped.sa, sizeof v4mapped.v6));
	name = name_of(c);
	label_port(port_of(&name), "C");
	show_name("c", c);
	show_peer("c", c);
	s = accepted(l);
	show_peer("s", s);
	close(c), close(s), close(l);
	printf("-- IPV6_V6ONLY\n");
	int on = 1;
	l = tcp(0);
	CALL(setsockopt(l, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on));
	CALL(bind(l, &any.sa, sizeof any.v6));
	CALL(setsockopt(l, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on));
	CALL(listen(l, 4));
	at = name_of(l);
	v4 = addr_of(AF_INET, "127.0.0.1", port_of(&at));
	c = socket(AF_INET, SOCK_STREAM, 0);
	CALL(connect(c, &v4.sa, sizeof v4.v4));
	close(c);
	c = tcp(0);
	on = 1;
	CALL(setsockopt(c, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on));
	CALL(connect(c, &v4mapped.sa, sizeof v4mapped.v6));
	close(c), close(l);
}

static void truncated(int fd, socklen_t room)
{
	unsigned char b[64];
	memset(b, 0xee, sizeof b);
	socklen_t len = room;
	int r = getsockname(fd, (struct sockaddr *)b, &len);
	int written = 0;
	for (unsigned i = 0; i < sizeof b; i++)
		if (b[i] != 0xee)
			written = i + 1;
	printf("getsockname with room %u = %s len %u, within room %d\n", room, outcome(r), len, written <= (int)room);
}

static void lengths(void)
{
	printf("-- lengths and bad arguments\n");
	Addr at, from;
	int l = listener(8, &at), c = client(&at);
	socklen_t rooms[] = {0, 2, 8, 16, 28, 64};
	for (unsigned i = 0; i < sizeof rooms / sizeof *rooms; i++)
		truncated(c, rooms[i]);
	socklen_t bad = (socklen_t)-1, len;
	CALL(getsockname(c, &from.sa, &bad));
	CALL(getpeername(c, &from.sa, &bad));
	len = 4;
	memset(&from, 0, sizeof from);
	int s = accept(l, &from.sa, &len);
	printf("accept with room 4: %s, len %u family %d\n", s < 0 ? errno_name(errno) : "ok", len, from.sa.sa_family);
	close(s);
	close(c);
	c = client(&at);
	s = accept(l, NULL, NULL);
	printf("accept with NULL: %s\n", s < 0 ? errno_name(errno) : "ok");
	close(s);
	int file = open("/dev/null", O_RDONLY), ends[2];
	len = sizeof from;
	CALL(getsockname(file, &from.sa, &len));
	CALL(getpeername(-1, &from.sa, &len));
	CALL(getsockname(9999, &from.sa, &len));
	CALL(accept(file, NULL, NULL));
	CALL(accept(c, NULL, NULL));
	CALL(accept(-1, NULL, NULL));
#ifdef __GLIBC__
	/* musl goes on with accept() where accept4() says EINVAL: it would wait. */
	CALL(accept4(l, NULL, NULL, 0x10));
#endif
	pipe(ends);
	CALL(getpeername(ends[0], &from.sa, &len));
}

/* Sockets of other families are the kernel's own. */
static void other_families(void)
{
	printf("-- other families\n");
	int u[2];
	Addr a;
	socklen_t len = sizeof a;
	CALL(socketpair(AF_UNIX, SOCK_STREAM, 0, u));
	CALL(getsockname(u[0], &a.sa, &len));
	printf("family %d len %u\n", a.sa.sa_family, len);
	len = sizeof a;
	CALL(getpeername(u[0], &a.sa, &len));
	printf("family %d len %u\n", a.sa.sa_family, len);
	CALL(int_option(u[0], SOL_SOCKET, SO_DOMAIN));
	CALL(int_option(u[0], SOL_SOCKET, SO_PROTOCOL));
	CALL(setsockopt(u[0], IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)));
	int x = socket(AF_UNIX, SOCK_STREAM, 0);
	struct sockaddr_un n = {AF_UNIX, ""};
	snprintf(n.sun_path + 1, 60, "netcon-differential-%d", getpid());
	CALL(bind(x, (struct sockaddr *)&n, sizeof n));
	CALL(listen(x, 4));
	int y = socket(AF_UNIX, SOCK_STREAM, 0);
	CALL(connect(y, (struct sockaddr *)&n, sizeof n));
	int z;
	len = sizeof a;
	FD(z = accept(x, &a.sa, &len));
	printf("family %d len %u\n", a.sa.sa_family, len);
	show_works("unix pair", y, z);
	len = sizeof a;
	CALL(recvfrom(z, &n, 0, MSG_DONTWAIT, &a.sa, &len));
	close(x), close(y), close(z), close(u[0]), close(u[1]);
}

int main(int argc, char **argv)
{
	start(argc, argv);
	states();
	bound_client();
	other_loopback();
	mapped();
	lengths();
	other_families();
	return 0;
}
