/* bind: conflicts, port 0, SO_REUSEADDR, SO_REUSEPORT, order of calls, bad arguments. */
#include "d.h"

static int bound(const Addr *a, int reuse_addr, int reuse_port, int listening, const char *what)
{
	int fd = socket(a->sa.sa_family, SOCK_STREAM, 0);
	set_int(fd, SOL_SOCKET, SO_REUSEADDR, reuse_addr);
	set_int(fd, SOL_SOCKET, SO_REUSEPORT, reuse_port);
	int r = bind(fd, &a->sa, addr_len(a));
	printf("%s: bind %s", what, errno_name(r < 0 ? errno : 0));
	if (r == 0 && listening) {
		r = listen(fd, 32);
		printf(" listen %s", errno_name(r < 0 ? errno : 0));
	}
	printf("\n");
	return fd;
}

static Addr taken(int *fd, int reuse_addr, int reuse_port, int listening, int any)
{
	Addr a = any ? wildcard(0) : loopback(0);
	*fd = bound(&a, reuse_addr, reuse_port, listening, "first");
	a = name_of(*fd);
	return a;
}

/* The second bind against the first, for every pair of flags. */
static void conflicts(void)
{
	for (int flags = 0; flags < 32; flags++) {
		int first_reuse = flags & 1, second_reuse = flags >> 1 & 1, first_listens = flags >> 2 & 1, any1 = flags >> 3 & 1, any2 = flags >> 4 & 1;
		printf("-- first: reuse %d listens %d wildcard %d; second: reuse %d wildcard %d\n", first_reuse, first_listens, any1, second_reuse, any2);
		int one;
		Addr a = taken(&one, first_reuse, 0, first_listens, any1);
		Addr b = any2 ? wildcard(port_of(&a)) : loopback(port_of(&a));
		int two = bound(&b, second_reuse, 0, 1, "second");
		close(one), close(two);
	}
}

static void reuse_port(void)
{
	printf("-- SO_REUSEPORT\n");
	int one, two, three, four;
	Addr a = taken(&one, 0, 1, 1, 0);
	two = bound(&a, 0, 1, 1, "second with SO_REUSEPORT");
	three = bound(&a, 0, 0, 1, "third without");
	four = bound(&a, 1, 0, 1, "fourth with SO_REUSEADDR only");
	int served = 0, c[16];
	for (int i = 0; i < 16; i++)
		c[i] = client(&a);
	nonblocking(one, 1), nonblocking(two, 1);
	int64_t end = now_ms() + DEADLINE_MS;
	while (served < 16 && now_ms() < end) {
		struct pollfd p[2] = {{one, POLLIN, 0}, {two, POLLIN, 0}};
		poll(p, 2, 100);
		for (int i = 0; i < 2; i++) {
			int s = accept(p[i].fd, NULL, NULL);
			if (s >= 0) {
				served++;
				close(s);
			}
		}
	}
	printf("served by either: %d\n", served);
	for (int i = 0; i < 16; i++)
		close(c[i]);
	close(one), close(two), close(three), close(four);
}

static void order(void)
{
	printf("-- order of calls\n");
	int fd = tcp(0);
	Addr a = loopback(0);
	CALL(bind(fd, &a.sa, addr_len(&a)));
	CALL(bind(fd, &a.sa, addr_len(&a)));
	CALL(listen(fd, 4));
	CALL(bind(fd, &a.sa, addr_len(&a)));
	CALL(listen(fd, 8));
	Addr at = name_of(fd);
	CALL(connect(fd, &at.sa, addr_len(&at)));
	int c = client(&at);
	CALL(bind(c, &a.sa, addr_len(&a)));
	CALL(listen(c, 4));
	CALL(connect(c, &at.sa, addr_len(&at)));
	int s = accepted(fd);
	CALL(bind(s, &a.sa, addr_len(&a)));
	CALL(listen(s, 4));
	close(c), close(s), close(fd);
	printf("-- listen without bind\n");
	fd = tcp(0);
	CALL(listen(fd, 4));
	at = name_of(fd);
	printf("has a port: %d\n", port_of(&at) != 0);
	label_port(port_of(&at), "L");
	show_name("fd", fd);
	Addr to = loopback(port_of(&at));
	c = client(&to);
	s = accepted(fd);
	show_works("pair", c, s);
	close(c), close(s), close(fd);
	printf("-- a closed listener's port is free\n");
	fd = bound(&at, 0, 0, 1, "again, connection in TIME-WAIT");
	close(fd);
	fd = bound(&at, 1, 0, 1, "again with SO_REUSEADDR");
	close(fd);
	printf("-- client port in use\n");
	int l = listener(4, &at), one = tcp(0), two = tcp(0);
	CALL(bind(one, &a.sa, addr_len(&a)));
	Addr mine = name_of(one);
	CALL(connect(one, &at.sa, addr_len(&at)));
	CALL(bind(two, &mine.sa, addr_len(&mine)));
	close(one), close(two), close(l);
}

static void arguments(void)
{
	printf("-- arguments\n");
	int fd = tcp(0);
	Addr a = loopback(0);
	CALL(bind(fd, &a.sa, 4));
	CALL(bind(fd, &a.sa, 15));
	CALL(bind(fd, &a.sa, 4096));
	CALL(bind(-1, &a.sa, addr_len(&a)));
	Addr other = addr_of(family == AF_INET ? AF_INET6 : AF_INET, family == AF_INET ? "::1" : "127.0.0.1", 0);
	CALL(bind(fd, &other.sa, addr_len(&other)));
	Addr away = family == AF_INET6 ? addr_of(AF_INET6, "2001:db8::77", 0) : addr_of(AF_INET, "192.0.2.77", 0);
	CALL(bind(fd, &away.sa, addr_len(&away)));
	Addr unspecified = a;
	unspecified.sa.sa_family = AF_UNSPEC;
	CALL(bind(fd, &unspecified.sa, addr_len(&unspecified)));
	Addr unixish = a;
	unixish.sa.sa_family = AF_UNIX;
	CALL(bind(fd, &unixish.sa, addr_len(&unixish)));
	CALL(connect(fd, &a.sa, 4));
	CALL(connect(fd, &unixish.sa, addr_len(&unixish)));
	CALL(bind(fd, &a.sa, sizeof(struct sockaddr_storage)));
	if (family == AF_INET) {
		Addr multicast = addr_of(AF_INET, "224.0.0.1", 80);
		int m = tcp(0);
		CALL(connect(m, &multicast.sa, sizeof multicast.v4));
		close(m);
	}
	int file = open("/dev/null", O_RDONLY);
	CALL(bind(file, &a.sa, addr_len(&a)));
	CALL(listen(file, 4));
	CALL(listen(-1, 4));
	CALL(connect(-1, &a.sa, addr_len(&a)));
	close(fd), close(file);
	printf("-- socket()\n");
	CALL(socket(family, SOCK_STREAM, IPPROTO_UDP));
	CALL(socket(family, SOCK_STREAM, 9999));
	CALL(socket(family, 77, 0));
	CALL(socket(9999, SOCK_STREAM, 0));
	CALL(socketpair(family, SOCK_STREAM, 0, (int[2]){0, 0}));
	FD(socket(family, SOCK_STREAM, IPPROTO_TCP));
	FD(socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
	FD(socket(AF_UNIX, SOCK_DGRAM, 0));
	struct stat st;
	fd = tcp(0);
	CALL(fstat(fd, &st));
	printf("a socket by its mode: %d\n", S_ISSOCK(st.st_mode) != 0);
	CALL(lseek(fd, 0, SEEK_SET));
	close(fd);
}

static void port_zero(void)
{
	printf("-- port 0\n");
	int fd[8], distinct = 1;
	for (int i = 0; i < 8; i++) {
		Addr a = loopback(0);
		fd[i] = tcp(0);
		if (bind(fd[i], &a.sa, addr_len(&a)) < 0)
			die("bind");
		Addr n = name_of(fd[i]);
		distinct &= port_of(&n) >= 1024;
		for (int j = 0; j < i; j++) {
			Addr m = name_of(fd[j]);
			distinct &= port_of(&m) != port_of(&n);
		}
	}
	printf("distinct unprivileged ports: %d\n", distinct);
	for (int i = 0; i < 8; i++)
		close(fd[i]);
}

static void families(void)
{
	if (family != AF_INET6)
		return;
	printf("-- one port, both families\n");
	Addr a4 = addr_of(AF_INET, "0.0.0.0", 0);
	int four = bound(&a4, 1, 0, 1, "0.0.0.0");
	Addr n = name_of(four), a6 = addr_of(AF_INET6, "::", port_of(&n));
	int six = bound(&a6, 1, 0, 1, "[::] dual-stack");
	close(six);
	six = socket(AF_INET6, SOCK_STREAM, 0);
	set_int(six, SOL_SOCKET, SO_REUSEADDR, 1);
	set_int(six, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	CALL(bind(six, &a6.sa, addr_len(&a6)));
	CALL(listen(six, 4));
	close(four), close(six);
	a6 = addr_of(AF_INET6, "::", 0);
	six = bound(&a6, 1, 0, 1, "[::] first");
	n = name_of(six);
	a4 = addr_of(AF_INET, "127.0.0.1", port_of(&n));
	four = bound(&a4, 1, 0, 1, "127.0.0.1 after it");
	close(four);
	Addr mapped = addr_of(AF_INET6, "::ffff:127.0.0.1", port_of(&n));
	int m = bound(&mapped, 0, 0, 1, "[::ffff:127.0.0.1] after it");
	close(m), close(six);
	mapped = addr_of(AF_INET6, "::ffff:127.0.0.1", 0);
	m = bound(&mapped, 0, 0, 1, "[::ffff:127.0.0.1]");
	n = name_of(m);
	label_port(port_of(&n), "M");
	show_name("mapped", m);
	a4 = addr_of(AF_INET, "127.0.0.1", port_of(&n));
	int c = client(&a4), s = accepted(m);
	show_name("s", s);
	show_works("pair", c, s);
	close(c), close(s), close(m);
}

int main(int argc, char **argv)
{
	start(argc, argv);
	conflicts();
	reuse_port();
	order();
	arguments();
	port_zero();
	families();
	return 0;
}
