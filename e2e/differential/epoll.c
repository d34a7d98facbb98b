/* epoll on connected and listening sockets: level, edge, one-shot, exclusive. */
#include "d.h"

static int ep;

static void add(int fd, unsigned events)
{
	struct epoll_event e = {.events = events, .data.fd = fd};
	if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) < 0)
		die("epoll_ctl");
}

/* The next report within the deadline, without OUT (when that edge comes again is the kernel's own affair). */
static void next(const char *what, int ms)
{
	struct epoll_event got;
	int n = epoll_wait(ep, &got, 1, ms);
	printf("%s: %d %s\n", what, n, n > 0 ? events_text(got.events) : "");
}

static void level(void)
{
	printf("-- level-triggered\n");
	int c, s;
	char b[8];
	pair(&c, &s);
	ep = epoll_create1(EPOLL_CLOEXEC);
	add(c, EPOLLIN | EPOLLRDHUP);
	next("nothing yet", 0);
	CALL(write(s, "ab", 2));
	next("data", DEADLINE_MS);
	next("still", 0);
	CALL(read(c, b, 1));
	next("one byte left", 0);
	CALL(read(c, b, 8));
	next("drained", 0);
	shutdown(s, SHUT_WR);
	next("end", DEADLINE_MS);
	next("still the end", 0);
	struct epoll_event e = {.events = EPOLLOUT, .data.fd = c};
	CALL(epoll_ctl(ep, EPOLL_CTL_MOD, c, &e));
	next("writable", 0);
	CALL(epoll_ctl(ep, EPOLL_CTL_ADD, c, &e));
	CALL(epoll_ctl(ep, EPOLL_CTL_DEL, c, NULL));
	CALL(epoll_ctl(ep, EPOLL_CTL_DEL, c, NULL));
	next("deleted", 0);
	close(c);
	close(s);
	close(ep);
}

static void edge(void)
{
	printf("-- edge-triggered\n");
	int c, s;
	char b[8];
	pair(&c, &s);
	ep = epoll_create1(0);
	add(c, EPOLLIN | EPOLLRDHUP | EPOLLET);
	next("nothing yet", 0);
	CALL(write(s, "ab", 2));
	next("data", DEADLINE_MS);
	next("no second report", 30);
	CALL(read(c, b, 1));
	next("none for what is left", 30);
	CALL(write(s, "c", 1));
	next("new data", DEADLINE_MS);
	CALL(read_all(c, b, 2));
	shutdown(s, SHUT_WR);
	next("end", DEADLINE_MS);
	next("once", 30);
	close(c);
	close(s);
	close(ep);
}

static void one_shot(void)
{
	printf("-- one-shot\n");
	int c, s;
	char b[8];
	pair(&c, &s);
	ep = epoll_create1(0);
	add(c, EPOLLIN | EPOLLONESHOT);
	CALL(write(s, "ab", 2));
	next("data", DEADLINE_MS);
	next("disarmed", 30);
	struct epoll_event e = {.events = EPOLLIN | EPOLLONESHOT, .data.fd = c};
	CALL(epoll_ctl(ep, EPOLL_CTL_MOD, c, &e));
	next("armed again", DEADLINE_MS);
	CALL(read(c, b, 8));
	close(c);
	close(s);
	close(ep);
}

static void listening(unsigned flags, const char *title)
{
	printf("-- listener, %s\n", title);
	Addr at;
	int l = tcp(SOCK_NONBLOCK);
	Addr a = loopback(0);
	ep = epoll_create1(0);
	struct epoll_event got;
	add(l, EPOLLIN | flags);
	int n = epoll_wait(ep, &got, 1, 0);
	printf("before listen: %d %s\n", n, n > 0 ? events_text(got.events) : "");
	bind(l, &a.sa, addr_len(&a));
	listen(l, 8);
	at = name_of(l);
	next("listening", 0);
	int c = client(&at), d;
	next("one waits", DEADLINE_MS);
	next("again", flags & EPOLLET ? 30 : 0);
	int s = accepted(l);
	next("accepted", 0);
	d = client(&at);
	next("another waits", DEADLINE_MS);
	int t = accepted(l);
	next("accepted", 0);
	show_works("first", c, s);
	show_works("second", d, t);
	close(c), close(s), close(d), close(t), close(l), close(ep);
}

/* A full send buffer: not writable until the reader made room. */
static void writable_again(void)
{
	printf("-- writable again\n");
	int c, s;
	static char bulk[65536];
	long put = 0, got = 0, n;
	pair(&c, &s);
	nonblocking(c, 1);
	nonblocking(s, 1);
	ep = epoll_create1(0);
	add(c, EPOLLOUT | EPOLLET);
	next("writable", 0);
	int64_t end = now_ms() + DEADLINE_MS;
	while (now_ms() < end) {
		while ((n = write(c, bulk, sizeof bulk)) > 0)
			put += n;
		struct pollfd p = {c, POLLOUT, 0};
		/* Quiet for a while: what could leave has left. */
		if (poll(&p, 1, 100) == 0)
			break;
	}
	printf("write when full: %s\n", errno_name(errno));
	printf("c: events %s\n", events_text(poll_now(c)));
	printf("more than 64 KiB were taken: %d\n", put > 65536);
	struct epoll_event drain;
	while (epoll_wait(ep, &drain, 1, 0) > 0)
		;
	while (got < put && now_ms() < end) {
		if ((n = read(s, bulk, sizeof bulk)) > 0)
			got += n;
		else
			wait_for(s, POLLIN);
	}
	printf("all of it came: %d\n", got == put);
	next("writable again", DEADLINE_MS);
	close(c), close(s), close(ep);
}

static void closing(void)
{
	printf("-- closing the last descriptor leaves the set\n");
	int c, s, d;
	pair(&c, &s);
	ep = epoll_create1(0);
	add(c, EPOLLIN);
	d = dup(c);
	close(c);
	CALL(write(s, "x", 1));
	next("still open by its duplicate", DEADLINE_MS);
	close(d);
	next("closed", 0);
	close(s), close(ep);
}

int main(int argc, char **argv)
{
	start(argc, argv);
	level();
	edge();
	one_shot();
	listening(0, "level-triggered");
	listening(EPOLLET, "edge-triggered");
	listening(EPOLLEXCLUSIVE, "exclusive");
	writable_again();
	closing();
	return 0;
}
