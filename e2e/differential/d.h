/* Vocabulary of the differential programs.
 *
 * A program prints one line for each call: the call as written, its value or the errno's name, and
 * what else kernel TCP decides (events, addresses with their ports replaced by labels). It runs client
 * and server by itself, over the loopback address of the family in argv[1] (4 or 6). Nothing may depend
 * on time: wait_for() waits for events with a deadline, and no line shows a state that is still on its way.
 */
#ifndef NETCON_DIFFERENTIAL_H
#define NETCON_DIFFERENTIAL_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef __GLIBC__
/* musl has no such function; the numbers that a program prints. */
__attribute__((unused)) static const char *strerrorname_np(int e)
{
	static const struct {
		int number;
		const char *name;
	} all[] = {
#define E(name) { name, #name }
		E(EPERM), E(ENOENT), E(EINTR), E(EIO), E(EBADF), E(EAGAIN), E(ENOMEM), E(EACCES), E(EFAULT), E(EEXIST),
		E(ENODEV), E(EINVAL), E(ENFILE), E(EMFILE), E(ENOTTY), E(ESPIPE), E(EPIPE), E(EDOM), E(ENOSYS),
		E(ENOTSOCK), E(EDESTADDRREQ), E(EMSGSIZE), E(EPROTOTYPE), E(ENOPROTOOPT), E(EPROTONOSUPPORT),
		E(ESOCKTNOSUPPORT), E(EOPNOTSUPP), E(EAFNOSUPPORT), E(EADDRINUSE), E(EADDRNOTAVAIL), E(ENETDOWN),
		E(ENETUNREACH), E(ECONNABORTED), E(ECONNRESET), E(ENOBUFS), E(EISCONN), E(ENOTCONN), E(ETIMEDOUT),
		E(ECONNREFUSED), E(EHOSTUNREACH), E(EALREADY), E(EINPROGRESS),
#undef E
	};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		if (all[i].number == e)
			return all[i].name;
	return "unknown errno";
}
#endif

#define DEADLINE_MS 10000
#define ALL_EVENTS (POLLIN | POLLPRI | POLLOUT | POLLRDHUP)

typedef union {
	struct sockaddr sa;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_storage storage;
} Addr;

static int family = AF_INET;

__attribute__((unused)) static void start(int argc, char **argv)
{
	family = argc > 1 && argv[1][0] == '6' ? AF_INET6 : AF_INET;
	setvbuf(stdout, NULL, _IONBF, 0);
	signal(SIGPIPE, SIG_IGN);
}

__attribute__((unused, noreturn)) static void die(const char *what)
{
	printf("DIED in %s: %s\n", what, strerrorname_np(errno));
	exit(1);
}

/* ---- printing ---- */

__attribute__((unused)) static const char *errno_name(int e)
{
	return e == 0 ? "0" : strerrorname_np(e);
}

/* Ring of text buffers, so that one printf may use several. */
__attribute__((unused)) static char *text_buffer(void)
{
	static __thread char ring[16][160];
	static __thread unsigned next;
	return ring[next++ % 16];
}

__attribute__((unused)) static const char *outcome(long value)
{
	if (value < 0)
		return errno_name(errno);
	char *text = text_buffer();
	snprintf(text, 160, "%ld", value);
	return text;
}

__attribute__((unused)) static long show_value(const char *call, long value)
{
	int e = errno;
	printf("%s = %s\n", call, outcome(value));
	errno = e;
	return value;
}

__attribute__((unused)) static long show_success(const char *call, long value)
{
	int e = errno;
	printf("%s = %s\n", call, value < 0 ? errno_name(e) : "ok");
	errno = e;
	return value;
}

/* The call with its value, and (for descriptors) with "ok" for any value. */
#define CALL(x) show_value(#x, (long)(x))
#define FD(x) show_success(#x, (long)(x))

__attribute__((unused)) static const char *events_text(unsigned e)
{
	static const struct { unsigned bit; const char *name; } NAMES[] = {
		{POLLIN, "IN"}, {POLLPRI, "PRI"}, {POLLOUT, "OUT"}, {POLLRDHUP, "RDHUP"}, {POLLHUP, "HUP"}, {POLLERR, "ERR"}, {POLLNVAL, "NVAL"},
	};
	char *text = text_buffer();
	text[0] = 0;
	for (unsigned i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
		if (e & NAMES[i].bit) {
			if (text[0])
				strcat(text, "|");
			strcat(text, NAMES[i].name);
		}
	return text[0] ? text : "none";
}

/* ---- addresses ---- */

static struct { int port; char name[8]; } port_labels[64];
static int port_label_count;

__attribute__((unused)) static void label_port(int port, const char *name)
{
	port_labels[port_label_count].port = port;
	snprintf(port_labels[port_label_count++].name, 8, "%s", name);
}

static const char *port_text(int port)
{
	if (port == 0)
		return "0";
	for (int i = port_label_count; i-- > 0;)
		if (port_labels[i].port == port)
			return port_labels[i].name;
	return "other";
}

__attribute__((unused)) static int port_of(const Addr *a)
{
	return ntohs(a->sa.sa_family == AF_INET6 ? a->v6.sin6_port : a->v4.sin_port);
}

__attribute__((unused)) static const char *addr_text(const Addr *a)
{
	char host[INET6_ADDRSTRLEN], *text = text_buffer();
	if (a->sa.sa_family == AF_INET)
		snprintf(text, 160, "%s:%s", inet_ntop(AF_INET, &a->v4.sin_addr, host, sizeof host), port_text(port_of(a)));
	else if (a->sa.sa_family == AF_INET6)
		snprintf(text, 160, "[%s]:%s scope %u flow %u", inet_ntop(AF_INET6, &a->v6.sin6_addr, host, sizeof host),
			port_text(port_of(a)), a->v6.sin6_scope_id, a->v6.sin6_flowinfo);
	else
		snprintf(text, 160, "family %d", a->sa.sa_family);
	return text;
}

__attribute__((unused)) static socklen_t addr_len(const Addr *a)
{
	return a->sa.sa_family == AF_INET6 ? sizeof a->v6 : sizeof a->v4;
}

__attribute__((unused)) static Addr addr_of(int af, const char *host, int port)
{
	Addr a;
	memset(&a, 0, sizeof a);
	a.sa.sa_family = af;
	if (af == AF_INET6) {
		inet_pton(AF_INET6, host, &a.v6.sin6_addr);
		a.v6.sin6_port = htons(port);
	} else {
		inet_pton(AF_INET, host, &a.v4.sin_addr);
		a.v4.sin_port = htons(port);
	}
	return a;
}

__attribute__((unused)) static Addr loopback(int port)
{
	return addr_of(family, family == AF_INET6 ? "::1" : "127.0.0.1", port);
}

__attribute__((unused)) static Addr wildcard(int port)
{
	return addr_of(family, family == AF_INET6 ? "::" : "0.0.0.0", port);
}

__attribute__((unused)) static Addr name_of(int fd)
{
	Addr a;
	socklen_t len = sizeof a;
	memset(&a, 0, sizeof a);
	if (getsockname(fd, &a.sa, &len) < 0)
		die("getsockname");
	return a;
}

__attribute__((unused)) static Addr peer_of(int fd)
{
	Addr a;
	socklen_t len = sizeof a;
	memset(&a, 0, sizeof a);
	if (getpeername(fd, &a.sa, &len) < 0)
		die("getpeername");
	return a;
}

__attribute__((unused)) static void show_name(const char *who, int fd)
{
	Addr a;
	socklen_t len = sizeof a;
	memset(&a, 0, sizeof a);
	int r = getsockname(fd, &a.sa, &len);
	printf("%s getsockname = %s", who, outcome(r));
	printf(r < 0 ? "\n" : " %s len %u\n", addr_text(&a), len);
}

__attribute__((unused)) static void show_peer(const char *who, int fd)
{
	Addr a;
	socklen_t len = sizeof a;
	memset(&a, 0, sizeof a);
	int r = getpeername(fd, &a.sa, &len);
	printf("%s getpeername = %s", who, outcome(r));
	printf(r < 0 ? "\n" : " %s len %u\n", addr_text(&a), len);
}

/* ---- sockets ---- */

__attribute__((unused)) static int tcp(int flags)
{
	int fd = socket(family, SOCK_STREAM | flags, 0);
	if (fd < 0)
		die("socket");
	return fd;
}

__attribute__((unused)) static int int_option(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof value;
	return getsockopt(fd, level, name, &value, &len) < 0 ? -1 : value;
}

__attribute__((unused)) static void set_int(int fd, int level, int name, int value)
{
	if (setsockopt(fd, level, name, &value, sizeof value) < 0)
		die("setsockopt");
}

__attribute__((unused)) static const char *so_error(int fd)
{
	return errno_name(int_option(fd, SOL_SOCKET, SO_ERROR));
}

__attribute__((unused)) static int listener(int backlog, Addr *at)
{
	int fd = tcp(0);
	Addr a = loopback(0);
	if (bind(fd, &a.sa, addr_len(&a)) < 0)
		die("bind");
	if (listen(fd, backlog) < 0)
		die("listen");
	*at = name_of(fd);
	label_port(port_of(at), "L");
	return fd;
}

/* A port that refuses: bound, not listening. */
__attribute__((unused)) static int refusing(Addr *at)
{
	int fd = tcp(0);
	Addr a = loopback(0);
	if (bind(fd, &a.sa, addr_len(&a)) < 0)
		die("bind");
	*at = name_of(fd);
	label_port(port_of(at), "R");
	return fd;
}

__attribute__((unused)) static int client(const Addr *to)
{
	int fd = socket(to->sa.sa_family, SOCK_STREAM, 0);
	if (connect(fd, &to->sa, addr_len(to)) < 0)
		die("connect");
	return fd;
}

__attribute__((unused)) static int accepted(int l)
{
	int fd = accept(l, NULL, NULL);
	if (fd < 0)
		die("accept");
	return fd;
}

/* A connected pair: c connected, s accepted. */
__attribute__((unused)) static void pair(int *c, int *s)
{
	Addr at;
	int l = listener(8, &at);
	*c = client(&at);
	Addr name = name_of(*c);
	label_port(port_of(&name), "C");
	*s = accepted(l);
	close(l);
}

__attribute__((unused)) static void nonblocking(int fd, int on)
{
	int flags = fcntl(fd, F_GETFL);
	if (fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK) < 0)
		die("fcntl");
}

/* ---- waiting ---- */

__attribute__((unused)) static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

__attribute__((unused)) static void pause_ms(long ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000};
	nanosleep(&t, NULL);
}

__attribute__((unused)) static unsigned poll_now(int fd)
{
	struct pollfd p = {fd, ALL_EVENTS, 0};
	return poll(&p, 1, 0) < 0 ? 0 : (unsigned)p.revents;
}

/* Waits until all of `want` is reported; returns everything reported then. */
__attribute__((unused)) static unsigned wait_for(int fd, unsigned want)
{
	int64_t end = now_ms() + DEADLINE_MS;
	for (;;) {
		unsigned have = poll_now(fd);
		if ((have & want) == want || now_ms() > end)
			return have;
		if (have)
			pause_ms(1);
		else {
			struct pollfd p = {fd, ALL_EVENTS, 0};
			poll(&p, 1, 50);
		}
	}
}

/* Waits until `fd` is reported with exactly `want`, and stops reporting what is not in it. */
__attribute__((unused)) static unsigned wait_exactly(int fd, unsigned want)
{
	int64_t end = now_ms() + DEADLINE_MS;
	unsigned have;
	while ((have = poll_now(fd)) != want && now_ms() < end)
		pause_ms(1);
	return have;
}

#define SHOW_EVENTS(fd, want) printf("%s: events %s\n", #fd, events_text(wait_for(fd, want)))

/* Waits until n bytes are in the receive queue. */
__attribute__((unused)) static void wait_bytes(int fd, int n)
{
	int64_t end = now_ms() + DEADLINE_MS;
	int have = 0;
	while (ioctl(fd, FIONREAD, &have) == 0 && have < n && now_ms() < end)
		pause_ms(1);
	if (have < n)
		printf("only %d of %d bytes came\n", have, n);
}

/* Reads until n bytes, EOF or an error; returns the bytes, or -1 if nothing came but an error. */
__attribute__((unused)) static long read_all(int fd, void *to, long n)
{
	long got = 0;
	while (got < n) {
		long r = read(fd, (char *)to + got, n - got);
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0 && got == 0)
			return -1;
		if (r <= 0)
			break;
		got += r;
	}
	return got;
}

__attribute__((unused)) static long write_all(int fd, const void *from, long n)
{
	long put = 0;
	while (put < n) {
		long r = write(fd, (const char *)from + put, n - put);
		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return put ? put : -1;
		put += r;
	}
	return put;
}

/* One byte each way proves that a connection works. */
__attribute__((unused)) static void show_works(const char *what, int a, int b)
{
	char x = 0, y = 0;
	int ok = write(a, "x", 1) == 1 && read_all(b, &x, 1) == 1 && write(b, "y", 1) == 1 && read_all(a, &y, 1) == 1;
	printf("%s: %s\n", what, ok && x == 'x' && y == 'y' ? "data both ways" : "does not work");
}

__attribute__((unused)) static void reap(pid_t pid, const char *who)
{
	int status;
	if (waitpid(pid, &status, 0) < 0)
		die("waitpid");
	if (WIFEXITED(status))
		printf("%s: exit %d\n", who, WEXITSTATUS(status));
	else
		printf("%s: signal %d\n", who, WTERMSIG(status));
}
#endif
