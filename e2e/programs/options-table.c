/* Every option of SOL_SOCKET, IPPROTO_TCP, IPPROTO_IP and IPPROTO_IPV6 on TCP sockets of one family (argv[1]: 4 or 6):
 * what get answers in each state, and what set takes. One line for each option. Left out are options that came after
 * Linux 5.15, that differ between kernels or their configurations (SO_PASSCRED, TCP_MD5SIG, TCP_ULP, TCP_CC_INFO), and
 * those that concern multicast, filters or packet sockets alone.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/tcp.h>
#include <grp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct option {
	int level, name;
	const char *text;
};
/* netinet/in.h and linux/in6.h do not go together, and neither has all: those of IP have their numbers here. */
#define S(name) {SOL_SOCKET, name, #name},
#define T(name) {IPPROTO_TCP, name, #name},
#define I(name, number) {IPPROTO_IP, number, #name},
#define V(name, number) {IPPROTO_IPV6, number, #name},

static const struct option OPTIONS[] = {
	S(SO_DEBUG) S(SO_REUSEADDR) S(SO_TYPE) S(SO_ERROR) S(SO_DONTROUTE) S(SO_BROADCAST) S(SO_SNDBUF) S(SO_RCVBUF)
	S(SO_KEEPALIVE) S(SO_OOBINLINE) S(SO_NO_CHECK) S(SO_PRIORITY) S(SO_LINGER) S(SO_BSDCOMPAT) S(SO_REUSEPORT)
	S(SO_PEERCRED) S(SO_RCVLOWAT) S(SO_SNDLOWAT) S(SO_RCVTIMEO) S(SO_SNDTIMEO) S(SO_BINDTODEVICE)
	S(SO_PEERNAME) S(SO_TIMESTAMP) S(SO_ACCEPTCONN) S(SO_PEERSEC)
	S(SO_SNDBUFFORCE) S(SO_RCVBUFFORCE) S(SO_TIMESTAMPNS) S(SO_MARK) S(SO_TIMESTAMPING)
	S(SO_PROTOCOL) S(SO_DOMAIN) S(SO_RXQ_OVFL) S(SO_WIFI_STATUS) S(SO_PEEK_OFF) S(SO_NOFCS) 
	S(SO_SELECT_ERR_QUEUE) S(SO_BUSY_POLL) S(SO_MAX_PACING_RATE) S(SO_BPF_EXTENSIONS) S(SO_INCOMING_CPU)
	S(SO_CNX_ADVICE) S(SO_MEMINFO) S(SO_INCOMING_NAPI_ID) S(SO_COOKIE)
	S(SO_PEERGROUPS) S(SO_ZEROCOPY) S(SO_TXTIME) S(SO_TIMESTAMP_NEW) S(SO_TIMESTAMPNS_NEW) S(SO_TIMESTAMPING_NEW)
	S(SO_RCVTIMEO_NEW) S(SO_SNDTIMEO_NEW) S(SO_PREFER_BUSY_POLL) S(SO_BUSY_POLL_BUDGET) S(SO_NETNS_COOKIE)
	S(SO_BUF_LOCK)

	T(TCP_NODELAY) T(TCP_MAXSEG) T(TCP_CORK) T(TCP_KEEPIDLE) T(TCP_KEEPINTVL) T(TCP_KEEPCNT) T(TCP_SYNCNT)
	T(TCP_LINGER2) T(TCP_DEFER_ACCEPT) T(TCP_WINDOW_CLAMP) T(TCP_INFO) T(TCP_QUICKACK) T(TCP_CONGESTION)
	T(TCP_THIN_LINEAR_TIMEOUTS) T(TCP_THIN_DUPACK) T(TCP_USER_TIMEOUT) T(TCP_REPAIR)
	T(TCP_REPAIR_QUEUE) T(TCP_QUEUE_SEQ) T(TCP_REPAIR_OPTIONS) T(TCP_FASTOPEN) T(TCP_TIMESTAMP) T(TCP_NOTSENT_LOWAT)
	T(TCP_SAVE_SYN) T(TCP_SAVED_SYN) T(TCP_REPAIR_WINDOW) T(TCP_FASTOPEN_CONNECT) 
	T(TCP_FASTOPEN_KEY) T(TCP_FASTOPEN_NO_COOKIE) T(TCP_ZEROCOPY_RECEIVE) T(TCP_INQ)
	T(TCP_TX_DELAY)

	I(IP_TOS, 1) I(IP_TTL, 2) I(IP_HDRINCL, 3) I(IP_OPTIONS, 4) I(IP_ROUTER_ALERT, 5) I(IP_RECVOPTS, 6) I(IP_RETOPTS, 7)
	I(IP_PKTINFO, 8) I(IP_PKTOPTIONS, 9) I(IP_MTU_DISCOVER, 10) I(IP_RECVERR, 11) I(IP_RECVTTL, 12) I(IP_RECVTOS, 13)
	I(IP_MTU, 14) I(IP_FREEBIND, 15) I(IP_IPSEC_POLICY, 16) I(IP_XFRM_POLICY, 17) I(IP_PASSSEC, 18)
	I(IP_TRANSPARENT, 19) I(IP_ORIGDSTADDR, 20) I(IP_MINTTL, 21) I(IP_NODEFRAG, 22) I(IP_CHECKSUM, 23)
	I(IP_BIND_ADDRESS_NO_PORT, 24) I(IP_RECVFRAGSIZE, 25) I(IP_RECVERR_RFC4884, 26)

	V(IPV6_ADDRFORM, 1) V(IPV6_2292PKTINFO, 2) V(IPV6_2292HOPOPTS, 3) V(IPV6_2292DSTOPTS, 4) V(IPV6_2292RTHDR, 5)
	V(IPV6_2292PKTOPTIONS, 6) V(IPV6_CHECKSUM, 7) V(IPV6_2292HOPLIMIT, 8) V(IPV6_FLOWINFO, 11)
	V(IPV6_UNICAST_HOPS, 16) V(IPV6_ROUTER_ALERT, 22) V(IPV6_MTU_DISCOVER, 23) V(IPV6_MTU, 24) V(IPV6_RECVERR, 25)
	V(IPV6_V6ONLY, 26) V(IPV6_FLOWLABEL_MGR, 32) V(IPV6_FLOWINFO_SEND, 33) V(IPV6_HDRINCL, 36)
	V(IPV6_RECVPKTINFO, 49) V(IPV6_PKTINFO, 50) V(IPV6_RECVHOPLIMIT, 51) V(IPV6_HOPLIMIT, 52) V(IPV6_RECVHOPOPTS, 53)
	V(IPV6_HOPOPTS, 54) V(IPV6_RTHDRDSTOPTS, 55) V(IPV6_RECVRTHDR, 56) V(IPV6_RTHDR, 57) V(IPV6_RECVDSTOPTS, 58)
	V(IPV6_DSTOPTS, 59) V(IPV6_RECVPATHMTU, 60) V(IPV6_PATHMTU, 61) V(IPV6_DONTFRAG, 62) V(IPV6_RECVTCLASS, 66)
	V(IPV6_TCLASS, 67) V(IPV6_AUTOFLOWLABEL, 70) V(IPV6_ADDR_PREFERENCES, 72) V(IPV6_MINHOPCOUNT, 73)
	V(IPV6_ORIGDSTADDR, 74) V(IPV6_TRANSPARENT, 75) V(IPV6_UNICAST_IF, 76) V(IPV6_RECVFRAGSIZE, 77)
	V(IPV6_FREEBIND, 78)
};

/* Values that depend on the machine or on the kernel's version: only their length is shown. */
static int varies(const struct option *o)
{
	static const struct { int level, name; } LIST[] = {
		{SOL_SOCKET, SO_SNDBUF}, {SOL_SOCKET, SO_RCVBUF}, {SOL_SOCKET, SO_COOKIE}, {SOL_SOCKET, SO_NETNS_COOKIE},
		{SOL_SOCKET, SO_MEMINFO}, {SOL_SOCKET, SO_INCOMING_CPU}, {SOL_SOCKET, SO_INCOMING_NAPI_ID},
		{SOL_SOCKET, SO_BPF_EXTENSIONS}, {SOL_SOCKET, SO_PEERNAME}, {IPPROTO_TCP, TCP_MAXSEG}, {IPPROTO_TCP, TCP_INFO},
		{IPPROTO_TCP, TCP_CONGESTION}, {IPPROTO_TCP, TCP_TIMESTAMP}, {IPPROTO_TCP, TCP_WINDOW_CLAMP},
		{IPPROTO_TCP, TCP_QUICKACK}, {IPPROTO_IP, 14}, {IPPROTO_IPV6, 24},
	};
	for (unsigned i = 0; i < sizeof LIST / sizeof *LIST; i++)
		if (LIST[i].level == o->level && LIST[i].name == o->name)
			return 1;
	return 0;
}

static const char *error(void)
{
	return strerrorname_np(errno);
}

static void get(int fd, const struct option *o)
{
	unsigned char value[512];
	socklen_t len = sizeof value;
	memset(value, 0, sizeof value);
	if (getsockopt(fd, o->level, o->name, value, &len) < 0) {
		printf("%s", error());
		return;
	}
	int number;
	memcpy(&number, value, sizeof number);
	if (len == 0)
		printf("empty");
	else if (varies(o) && len == 4)
		printf("varies");
	else if (o->level == SOL_SOCKET && o->name == SO_RCVLOWAT && number > 1 << 20)
		printf("most"); /* depends on net.ipv4.tcp_rmem */
	else if (len == 4)
		printf("%d", number);
	else if (varies(o) || len > 16)
		printf("%s", varies(o) ? "varies" : "long");
	else
		for (unsigned i = 0; i < len; i++)
			printf("%02x", value[i]);
}

static void get_into(int fd, const struct option *o, const char *what, int room, void *value)
{
	socklen_t len = room;
	int r = getsockopt(fd, o->level, o->name, value, &len);
	printf("; %s ", what);
	if (r < 0)
		printf("%s", error());
	else
		printf("%d", len);
}

static int tcp(int family)
{
	int fd = socket(family, SOCK_STREAM, 0);
	if (fd < 0)
		exit(printf("socket: %s\n", error()));
	return fd;
}

static int listener(int family)
{
	int fd = tcp(family);
	if (listen(fd, 4) < 0)
		exit(printf("listen: %s\n", error()));
	return fd;
}

static void pair(int family, int fd[2])
{
	struct sockaddr_storage at;
	socklen_t len = sizeof at;
	int l = listener(family);
	getsockname(l, (struct sockaddr *)&at, &len);
	if (family == AF_INET)
		((struct sockaddr_in *)&at)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else
		((struct sockaddr_in6 *)&at)->sin6_addr = in6addr_loopback;
	fd[0] = tcp(family);
	if (connect(fd[0], (struct sockaddr *)&at, len) < 0 || (fd[1] = accept(l, NULL, NULL)) < 0)
		exit(printf("connect: %s\n", error()));
	close(l);
}

static void states(int family, const struct option *o, void (*act)(int, const struct option *))
{
	int fresh = tcp(family), listening = listener(family), fd[2];
	pair(family, fd);
	int all[] = {fresh, listening, fd[0], fd[1]};
	for (unsigned i = 0; i < 4; i++) {
		printf("%s", i ? ", " : " ");
		act(all[i], o);
		if (i != 2)
			close(all[i]);
	}
	close(fd[0]);
}

static void set_one(int fd, const struct option *o)
{
	int one = 1;
	if (setsockopt(fd, o->level, o->name, &one, sizeof one) < 0) {
		printf("%s", error());
		return;
	}
	get(fd, o);
}

/* On a socket of its own: what set says, and what get says then. */
static void set(int family, const struct option *o, const char *what, const void *value, socklen_t len)
{
	int fd = tcp(family);
	printf("; %s ", what);
	if (setsockopt(fd, o->level, o->name, value, len) < 0)
		printf("%s", error());
	else
		get(fd, o);
	close(fd);
}

static void show(int family, const struct option *o)
{
	static char room[512];
	printf("%s|", o->text);
	states(family, o, get);
	int fd = tcp(family);
	get_into(fd, o, "room 2", 2, room);
	get_into(fd, o, "room 0", 0, room);
	get_into(fd, o, "room -1", -1, room);
	close(fd);
	printf("|");
	states(family, o, set_one);
	static const int VALUES[] = {0, 2, -1, 127, 128, 255, 256, 0x7fffffff};
	for (unsigned i = 0; i < sizeof VALUES / sizeof *VALUES; i++) {
		char what[16];
		snprintf(what, sizeof what, "%d:", VALUES[i]);
		set(family, o, what, &VALUES[i], sizeof VALUES[i]);
	}
	char text[64] = {1};
	set(family, o, "0 bytes:", text, 0);
	set(family, o, "1 byte:", text, 1);
	set(family, o, "3 bytes:", text, 3);
	set(family, o, "64 bytes:", text, 64);
	set(family, o, "no memory:", NULL, 4);
	set(family, o, "-1 bytes:", text, -1);
	printf("\n");
}

int main(int argc, char **argv)
{
	int family = argc > 1 && argv[1][0] == '6' ? AF_INET6 : AF_INET;
	/* What needs a capability is refused. */
	if (setgroups(0, NULL) < 0 || setgid(65534) < 0 || setuid(65534) < 0)
		return printf("drop rights: %s\n", error());
	for (unsigned i = 0; i < sizeof OPTIONS / sizeof *OPTIONS; i++)
		if (family == AF_INET6 || OPTIONS[i].level != IPPROTO_IPV6)
			show(family, &OPTIONS[i]);
	return 0;
}
