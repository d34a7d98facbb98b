/* Who may bind and listen beside whom: every pair of addresses, of SO_REUSEADDR and SO_REUSEPORT, and of what the
 * first socket is at. The family is the first socket's; a line has the second's addresses, each with what failed. */
#include "d.h"

enum { BOUND, LISTENS, CONNECTED, ACCEPTED, STATES };
static const char *const STATE[] = {"bound", "listening", "connected", "accepted, its listener closed"};

static const struct {
	const char *name;
	int af;
	const char *host;
	int v6only;
} ADDRESSES[] = {
	{"127.0.0.1", AF_INET, "127.0.0.1", 0}, {"127.0.0.2", AF_INET, "127.0.0.2", 0}, {"0.0.0.0", AF_INET, "0.0.0.0", 0},
	{"::", AF_INET6, "::", 0}, {":: v6only", AF_INET6, "::", 1}, {"::1", AF_INET6, "::1", 0},
	{"::ffff:127.0.0.1", AF_INET6, "::ffff:127.0.0.1", 0}, {"::ffff:0.0.0.0", AF_INET6, "::ffff:0.0.0.0", 0},
};
#define COUNT (int)(sizeof ADDRESSES / sizeof *ADDRESSES)

static const char *const OPTIONS[] = {"none", "addr", "port", "both"};

/* A port for each case, below those of connects and of bind to 0: other programs run beside this one. */
static int next_port;

static int open_at(int type, int which, int options)
{
	int fd = socket(ADDRESSES[which].af, type, 0);
	if (fd < 0)
		die("socket");
	set_int(fd, SOL_SOCKET, SO_REUSEADDR, options & 1);
	set_int(fd, SOL_SOCKET, SO_REUSEPORT, options >> 1 & 1);
	if (ADDRESSES[which].af == AF_INET6)
		set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, ADDRESSES[which].v6only);
	return fd;
}

static int bind_to(int fd, int which, int port)
{
	Addr a = addr_of(ADDRESSES[which].af, ADDRESSES[which].host, port);
	return bind(fd, &a.sa, addr_len(&a));
}

/* Where a client finds a socket bound to that address. */
static Addr target(int which, int port)
{
	const char *host = ADDRESSES[which].host;
	if (!strcmp(host, "0.0.0.0"))
		host = "127.0.0.1";
	return addr_of(ADDRESSES[which].af, !strcmp(host, "::") ? "::1" : host, port);
}

/* The first socket, bound to a port of its own and brought to its state; `peer` is the other end of a connection. */
static int first_at(int type, int which, int options, int state, int *peer)
{
	*peer = -1;
	int fd = open_at(type, which, options);
	if (bind_to(fd, which, next_port++) < 0)
		die("the first bind");
	Addr at = name_of(fd);
	if ((state == LISTENS || state == ACCEPTED) && listen(fd, 4) < 0)
		die("the first listen");
	if (state == CONNECTED) {
		Addr l;
		int saved = family;
		family = ADDRESSES[which].af;
		int server = listener(4, &l);
		family = saved;
		port_label_count = 0;
		if (!strcmp(ADDRESSES[which].host, "::ffff:127.0.0.1")) {
			close(server);
			server = socket(AF_INET, SOCK_STREAM, 0);
			l = addr_of(AF_INET, "127.0.0.1", 0);
			if (bind(server, &l.sa, addr_len(&l)) < 0 || listen(server, 4) < 0)
				die("a listener for the mapped address");
			l = name_of(server);
			l = addr_of(AF_INET6, "::ffff:127.0.0.1", port_of(&l));
		}
		if (connect(fd, &l.sa, addr_len(&l)) < 0)
			die("the first connect");
		*peer = accepted(server);
		close(server);
	}
	if (state == ACCEPTED) {
		Addr to = target(which, port_of(&at));
		*peer = client(&to);
		int connection = accepted(fd);
		close(fd);
		fd = connection;
	}
	return fd;
}

static void close_both(int a, int b)
{
	/* Without TIME-WAIT: a reset. */
	struct linger now = {1, 0};
	if (b >= 0) {
		setsockopt(a, SOL_SOCKET, SO_LINGER, &now, sizeof now);
		close(a);
		close(b);
	} else {
		close(a);
	}
}

/* What fails when the second comes to the first's port. */
static const char *second_at(int type, int which, int options, int port, int first, int state)
{
	static char text[64];
	int fd = open_at(type, which, options);
	int bound = bind_to(fd, which, port);
	int at_bind = errno;
	snprintf(text, sizeof text, "ok");
	if (bound < 0)
		snprintf(text, sizeof text, "bind %s", errno_name(at_bind));
	else if (type == SOCK_STREAM && listen(fd, 4) < 0)
		snprintf(text, sizeof text, "listen %s", errno_name(errno));
	else if (type == SOCK_STREAM && state == BOUND && listen(first, 4) < 0)
		snprintf(text, sizeof text, "first listens %s", errno_name(errno));
	close(fd);
	return text;
}

/* `late`: the first socket's options are set when it is in its state. */
static void table(int type, int state, int late)
{
	for (int options = 0; options < 16; options++)
		for (int one = 0; one < COUNT; one++) {
			/* The last is for the second socket only. */
			if (ADDRESSES[one].af != family || one == COUNT - 1)
				continue;
			printf("-- %s %s; first: %s, %s%s; second: %s\n", type == SOCK_STREAM ? "TCP" : "UDP", STATE[state],
				ADDRESSES[one].name, OPTIONS[options & 3], late ? " set later" : "", OPTIONS[options >> 2]);
			for (int two = 0; two < COUNT; two++) {
				int peer, first = first_at(type, one, late ? 0 : options & 3, state, &peer);
				if (late) {
					set_int(first, SOL_SOCKET, SO_REUSEADDR, options & 1);
					set_int(first, SOL_SOCKET, SO_REUSEPORT, options >> 1 & 1);
				}
				Addr at = name_of(first);
				printf("%s: %s\n", ADDRESSES[two].name, second_at(type, two, options >> 2, port_of(&at), first, state));
				close_both(first, peer);
			}
		}
}

/* A listener that binds the port of a connection which began without a bind. */
static void port_of_a_client(void)
{
	for (int options = 0; options < 4; options++) {
		printf("-- the port of a client without a bind; second: %s\n", OPTIONS[options]);
		Addr at;
		int l = listener(4, &at), c = client(&at), s = accepted(l);
		Addr name = name_of(c);
		for (int two = 0; two < COUNT; two++)
			printf("%s: %s\n", ADDRESSES[two].name, second_at(SOCK_STREAM, two, options, port_of(&name), c, CONNECTED));
		close_both(c, s);
		close(l);
	}
}

int main(int argc, char **argv)
{
	start(argc, argv);
#ifdef __GLIBC__
	next_port = family == AF_INET ? 10000 : 20000;
#else
	next_port = 15000;
#endif
	for (int state = 0; state < STATES; state++)
		table(SOCK_STREAM, state, 0), table(SOCK_STREAM, state, 1);
	table(SOCK_DGRAM, BOUND, 0);
	port_of_a_client();
	return 0;
}
