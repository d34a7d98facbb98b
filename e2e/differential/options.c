/* Socket options: what get answers in each state, what set takes and what get answers then. */
#include "d.h"

struct option {
	int level, name;
	const char *text;
	int set; /* the value tried */
};

static const struct option COMMON[] = {
	{SOL_SOCKET, SO_REUSEADDR, "SO_REUSEADDR", 1},
	{SOL_SOCKET, SO_REUSEPORT, "SO_REUSEPORT", 1},
	{SOL_SOCKET, SO_KEEPALIVE, "SO_KEEPALIVE", 1},
	{SOL_SOCKET, SO_OOBINLINE, "SO_OOBINLINE", 1},
	{SOL_SOCKET, SO_BROADCAST, "SO_BROADCAST", 1},
	{SOL_SOCKET, SO_DONTROUTE, "SO_DONTROUTE", 1},
	{SOL_SOCKET, SO_PRIORITY, "SO_PRIORITY", 3},
	{SOL_SOCKET, SO_RCVLOWAT, "SO_RCVLOWAT", 1},
	{SOL_SOCKET, SO_TIMESTAMP, "SO_TIMESTAMP", 1},
	{SOL_SOCKET, SO_TYPE, "SO_TYPE", 1},
	{SOL_SOCKET, SO_DOMAIN, "SO_DOMAIN", 1},
	{SOL_SOCKET, SO_PROTOCOL, "SO_PROTOCOL", 1},
	{SOL_SOCKET, SO_ERROR, "SO_ERROR", 1},
	{SOL_SOCKET, SO_ACCEPTCONN, "SO_ACCEPTCONN", 1},
	{SOL_SOCKET, SO_SNDLOWAT, "SO_SNDLOWAT", 1},
	{SOL_SOCKET, SO_MARK, "SO_MARK", 0},
	{IPPROTO_TCP, TCP_NODELAY, "TCP_NODELAY", 1},
	{IPPROTO_TCP, TCP_CORK, "TCP_CORK", 1},
	{IPPROTO_TCP, TCP_KEEPIDLE, "TCP_KEEPIDLE", 11},
	{IPPROTO_TCP, TCP_KEEPINTVL, "TCP_KEEPINTVL", 12},
	{IPPROTO_TCP, TCP_KEEPCNT, "TCP_KEEPCNT", 4},
	{IPPROTO_TCP, TCP_SYNCNT, "TCP_SYNCNT", 3},
	{IPPROTO_TCP, TCP_LINGER2, "TCP_LINGER2", 30},
	{IPPROTO_TCP, TCP_DEFER_ACCEPT, "TCP_DEFER_ACCEPT", 1},
	{IPPROTO_TCP, TCP_USER_TIMEOUT, "TCP_USER_TIMEOUT", 20000},
	{IPPROTO_TCP, TCP_QUICKACK, "TCP_QUICKACK", 1},
	{IPPROTO_TCP, TCP_FASTOPEN, "TCP_FASTOPEN", 5},
	{IPPROTO_TCP, TCP_FASTOPEN_CONNECT, "TCP_FASTOPEN_CONNECT", 0},
	{IPPROTO_TCP, TCP_NOTSENT_LOWAT, "TCP_NOTSENT_LOWAT", 16384},
};
static const struct option V4[] = {
	{IPPROTO_IP, IP_TOS, "IP_TOS", 16},
	{IPPROTO_IP, IP_TTL, "IP_TTL", 77},
	{IPPROTO_IP, IP_FREEBIND, "IP_FREEBIND", 1},
	{IPPROTO_IP, IP_RECVTOS, "IP_RECVTOS", 1},
	{IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, "IP_BIND_ADDRESS_NO_PORT", 1},
	{IPPROTO_IP, IP_MTU_DISCOVER, "IP_MTU_DISCOVER", IP_PMTUDISC_DO},
};
static const struct option V6[] = {
	{IPPROTO_IPV6, IPV6_V6ONLY, "IPV6_V6ONLY", 1},
	{IPPROTO_IPV6, IPV6_TCLASS, "IPV6_TCLASS", 16},
	{IPPROTO_IPV6, IPV6_UNICAST_HOPS, "IPV6_UNICAST_HOPS", 77},
};

static void get(int fd, const struct option *o, const char *what)
{
	int value = -1;
	socklen_t len = sizeof value;
	int r = getsockopt(fd, o->level, o->name, &value, &len);
	if (r < 0)
		printf("%s %s = %s\n", what, o->text, errno_name(errno));
	else
		printf("%s %s = %d len %u\n", what, o->text, value, len);
}

static void set_and_get(int fd, const struct option *o)
{
	get(fd, o, "get");
	int r = setsockopt(fd, o->level, o->name, &o->set, sizeof o->set);
	printf("set %s %d = %s\n", o->text, o->set, r < 0 ? errno_name(errno) : "0");
	get(fd, o, "then");
}

static void each(int fd, void (*act)(int, const struct option *))
{
	for (unsigned i = 0; i < sizeof COMMON / sizeof *COMMON; i++)
		act(fd, &COMMON[i]);
	if (family == AF_INET)
		for (unsigned i = 0; i < sizeof V4 / sizeof *V4; i++)
			act(fd, &V4[i]);
	else
		for (unsigned i = 0; i < sizeof V6 / sizeof *V6; i++)
			act(fd, &V6[i]);
}

static void get_only(int fd, const struct option *o)
{
	/* The kernel decides by itself whether a connection acknowledges quickly. */
	if (o->level != IPPROTO_TCP || o->name != TCP_QUICKACK)
		get(fd, o, "get");
}

static void structures(int fd)
{
	struct linger l = {1, 7};
	struct timeval t = {2, 500000};
	socklen_t len;
	CALL(setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof l));
	memset(&l, 0, sizeof l);
	len = sizeof l;
	CALL(getsockopt(fd, SOL_SOCKET, SO_LINGER, &l, &len));
	printf("linger %d %d len %u\n", l.l_onoff, l.l_linger, len);
	CALL(setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, 4));
	CALL(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t));
	CALL(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t));
	memset(&t, 0, sizeof t);
	len = sizeof t;
	CALL(getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, &len));
	printf("timeout %ld.%06ld len %u\n", (long)t.tv_sec, (long)t.tv_usec, len);
	len = sizeof t;
	CALL(getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, &len));
	printf("timeout %ld.%06ld len %u\n", (long)t.tv_sec, (long)t.tv_usec, len);
	t = (struct timeval){0, 0};
	CALL(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t));
	CALL(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t));
	int size = 50000;
	CALL(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size));
	CALL(int_option(fd, SOL_SOCKET, SO_RCVBUF));
	CALL(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size));
	CALL(int_option(fd, SOL_SOCKET, SO_SNDBUF));
	char name[16] = "";
	len = sizeof name;
	CALL(getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &len));
	printf("device \"%s\" len %u\n", name, len);
	len = sizeof name;
	CALL(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &len));
	printf("congestion control named: %d len %u\n", name[0] != 0, len);
	CALL(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4));
	memset(name, 0, sizeof name);
	len = sizeof name;
	CALL(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &len));
	printf("congestion control %s\n", name);
	CALL(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "no-such", 7));
	if (family == AF_INET) {
		char options[64];
		len = sizeof options;
		CALL(getsockopt(fd, IPPROTO_IP, IP_OPTIONS, options, &len));
		printf("IP options len %u\n", len);
	}
	struct { unsigned char state, rest[255]; } info;
	len = sizeof info;
	CALL(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len));
	printf("TCP_INFO state %d, length at least 104: %d\n", info.state, len >= 104);
	len = 1;
	CALL(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len));
	printf("TCP_INFO len %u\n", len);
	CALL(int_option(fd, IPPROTO_TCP, TCP_MAXSEG) > 0);
}

static void bad(int fd)
{
	int value = 1;
	socklen_t len = sizeof value, negative = (socklen_t)-1, two = 2;
	CALL(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &value, 2));
	CALL(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, 2));
	CALL(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, NULL, 4));
	CALL(setsockopt(fd, IPPROTO_TCP, 9999, &value, 4));
	CALL(getsockopt(fd, IPPROTO_TCP, 9999, &value, &len));
	CALL(setsockopt(fd, SOL_SOCKET, 9999, &value, 4));
	CALL(getsockopt(fd, SOL_SOCKET, 9999, &value, &len));
	CALL(getsockopt(fd, 9999, 1, &value, &len));
	CALL(setsockopt(fd, 9999, 1, &value, 4));
	CALL(setsockopt(fd, IPPROTO_IP, 9999, &value, 4));
	CALL(getsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &value, &negative));
	value = -1;
	CALL(getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &two));
	printf("two bytes: %x len %u\n", value, two);
	value = 0;
	CALL(setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &value, 4));
	value = 99999;
	CALL(setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &value, 4));
	value = 200;
	CALL(setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &value, 4));
	value = 0;
	CALL(setsockopt(fd, IPPROTO_IP, IP_TTL, &value, 4));
	value = 300;
	CALL(setsockopt(fd, IPPROTO_IP, IP_TTL, &value, 4));
	value = 5;
	CALL(setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &value, 4));
}

static void inherited(void)
{
	printf("-- what an accepted socket inherits\n");
	Addr at;
	int l = listener(4, &at);
	struct linger linger = {1, 3};
	struct timeval t = {1, 250000};
	set_int(l, SOL_SOCKET, SO_KEEPALIVE, 1);
	set_int(l, SOL_SOCKET, SO_OOBINLINE, 1);
	set_int(l, SOL_SOCKET, SO_REUSEADDR, 1);
	set_int(l, SOL_SOCKET, SO_RCVLOWAT, 3);
	set_int(l, IPPROTO_TCP, TCP_NODELAY, 1);
	set_int(l, IPPROTO_TCP, TCP_KEEPIDLE, 33);
	set_int(l, IPPROTO_TCP, TCP_KEEPINTVL, 34);
	set_int(l, IPPROTO_TCP, TCP_KEEPCNT, 5);
	set_int(l, IPPROTO_TCP, TCP_USER_TIMEOUT, 5000);
	set_int(l, SOL_SOCKET, SO_RCVBUF, 40000);
	setsockopt(l, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
	setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
	int c = client(&at), s = accepted(l);
	each(s, get_only);
	socklen_t len = sizeof linger;
	memset(&linger, 0, sizeof linger);
	getsockopt(s, SOL_SOCKET, SO_LINGER, &linger, &len);
	printf("linger %d %d\n", linger.l_onoff, linger.l_linger);
	len = sizeof t;
	memset(&t, 0, sizeof t);
	getsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &t, &len);
	printf("timeout %ld.%06ld\n", (long)t.tv_sec, (long)t.tv_usec);
	CALL(int_option(s, SOL_SOCKET, SO_RCVBUF));
	close(c), close(s), close(l);
}

static void timeouts(void)
{
	printf("-- timeouts act\n");
	int c, s;
	char b[4];
	static char bulk[65536];
	pair(&c, &s);
	struct timeval t = {0, 50000};
	setsockopt(c, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
	setsockopt(c, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t);
	int64_t begin = now_ms();
	CALL(read(c, b, 4));
	printf("after at least 40 ms: %d\n", now_ms() - begin >= 40);
	long n, put = 0;
	while ((n = write(c, bulk, sizeof bulk)) > 0)
		put += n;
	printf("write %s after some: %d\n", errno_name(errno), put > 0);
	close(c), close(s);
	Addr at;
	int l = listener(4, &at);
	setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
	CALL(accept(l, NULL, NULL));
	close(l);
}

static void ioctls(void)
{
	printf("-- ioctls\n");
	int c, s, n = -1;
	char b[8];
	pair(&c, &s);
	CALL(ioctl(s, FIONREAD, &n));
	printf("FIONREAD %d\n", n);
	CALL(write(c, "seven77", 7));
	wait_bytes(s, 7);
	CALL(ioctl(s, FIONREAD, &n));
	printf("FIONREAD %d\n", n);
	CALL(read(s, b, 3));
	CALL(ioctl(s, FIONREAD, &n));
	printf("FIONREAD %d\n", n);
	Addr at;
	int l = listener(4, &at);
	CALL(ioctl(l, FIONREAD, &n));
	close(c), close(s), close(l);
}

int main(int argc, char **argv)
{
	start(argc, argv);
	int fd = tcp(0);
	printf("-- a new socket\n");
	each(fd, set_and_get);
	structures(fd);
	bad(fd);
	close(fd);
	int c, s;
	pair(&c, &s);
	printf("-- connected\n");
	each(c, get_only);
	structures(c);
	printf("-- accepted\n");
	each(s, get_only);
	Addr at;
	int l = listener(4, &at);
	printf("-- listening\n");
	each(l, get_only);
	close(c), close(s), close(l);
	inherited();
	timeouts();
	ioctls();
	return 0;
}
