/* Resets: by SO_LINGER 0, by closing with unread data, with and without data undrained at the other end. */
#include "d.h"

static void linger_zero(int fd)
{
	struct linger l = {1, 0};
	if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof l) < 0)
		die("SO_LINGER");
}

/* What the end `b` sees of a reset. */
static void seen(int b)
{
	char text[16];
	SHOW_EVENTS(b, POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDHUP);
	CALL(read(b, text, 16));
	CALL(read(b, text, 16));
	printf("SO_ERROR %s\n", so_error(b));
	CALL(write(b, "x", 1));
	CALL(send(b, "x", 1, MSG_NOSIGNAL));
	printf("events %s\n", events_text(poll_now(b)));
	close(b);
}

static void drained(int a, int b)
{
	linger_zero(a);
	close(a);
	seen(b);
}

static void undrained(int a, int b)
{
	CALL(write(a, "data", 4));
	wait_bytes(b, 4);
	linger_zero(a);
	close(a);
	wait_for(b, POLLERR | POLLHUP);
	seen(b);
}

static void unread(int a, int b)
{
	CALL(write(b, "never read", 10));
	wait_bytes(a, 10);
	close(a);
	seen(b);
}

static void by_so_error(int a, int b)
{
	linger_zero(a);
	close(a);
	SHOW_EVENTS(b, POLLERR | POLLHUP);
	printf("SO_ERROR %s\n", so_error(b));
	printf("SO_ERROR %s\n", so_error(b));
	char text[4];
	CALL(read(b, text, 4));
	CALL(write(b, text, 4));
	close(b);
}

static void by_write(int a, int b)
{
	linger_zero(a);
	close(a);
	SHOW_EVENTS(b, POLLERR | POLLHUP);
	CALL(write(b, "x", 1));
	CALL(write(b, "x", 1));
	char text[4];
	CALL(read(b, text, 4));
	close(b);
}

static void *blocked_read(void *fd)
{
	char text[4];
	long r = read(*(int *)fd, text, 4);
	return (void *)(r < 0 ? (long)-errno : r);
}

/* A reader that sleeps in read(2) when the reset comes. */
static void blocked(int a, int b)
{
	pthread_t t;
	void *r;
	pthread_create(&t, NULL, blocked_read, &b);
	pause_ms(30);
	linger_zero(a);
	close(a);
	pthread_join(t, &r);
	printf("blocked read: %s\n", (long)r < 0 ? errno_name(-(long)r) : "no error");
	close(b);
}

static void *blocked_write(void *fd)
{
	static char bulk[65536];
	for (;;)
		if (write(*(int *)fd, bulk, sizeof bulk) < 0)
			return (void *)(long)errno;
}

static void blocked_writer(int a, int b)
{
	pthread_t t;
	void *r;
	pthread_create(&t, NULL, blocked_write, &b);
	wait_bytes(a, 100000);
	close(a);
	pthread_join(t, &r);
	printf("blocked write: %s\n", errno_name((long)r));
	close(b);
}

static void *blocked_send(void *fd)
{
	static char bulk[65536];
	for (;;)
		if (send(*(int *)fd, bulk, sizeof bulk, MSG_NOSIGNAL) < 0)
			return (void *)(long)errno;
}

/* Both ends have sent all that can be taken and read nothing: the reset is behind data that is never read. */
static void behind_data(int a, int b)
{
	static char bulk[65536];
	pthread_t t;
	void *r;
	/* Until nothing more is taken: what is under way needs a moment to arrive. */
	for (int full = 0; full < 10; pause_ms(5))
		full = send(a, bulk, sizeof bulk, MSG_DONTWAIT) < 0 ? full + 1 : 0;
	pthread_create(&t, NULL, blocked_send, &b);
	wait_bytes(a, 100000);
	close(a);
	pthread_join(t, &r);
	printf("blocked send: %s\n", errno_name((long)r));
	CALL(send(b, "x", 1, MSG_NOSIGNAL));
	printf("writable: %s\n", wait_for(b, POLLOUT) & POLLOUT ? "yes" : "no");
	long n, total = 0;
	while ((n = read(b, bulk, sizeof bulk)) > 0)
		total += n;
	printf("read: %s, then %s\n", total > 0 ? "data" : "nothing", n < 0 ? errno_name(errno) : "end of file");
	close(b);
}

static void by_edges(int a, int b)
{
	int ep = epoll_create1(0);
	struct epoll_event e = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET}, got;
	epoll_ctl(ep, EPOLL_CTL_ADD, b, &e);
	epoll_wait(ep, &got, 1, 0);
	linger_zero(a);
	close(a);
	int n = epoll_wait(ep, &got, 1, DEADLINE_MS);
	wait_for(b, POLLERR | POLLHUP);
	printf("edge: %d %s\n", n, n > 0 ? events_text(got.events & ~EPOLLOUT) : "");
	close(b);
	close(ep);
}

/* The accepted end has been reset before accept() took it. */
static void before_accept(void)
{
	Addr at;
	char text[4];
	int l = listener(8, &at), c = client(&at);
	CALL(write(c, "data", 4));
	linger_zero(c);
	close(c);
	pause_ms(20);
	int s = accept(l, NULL, NULL);
	printf("accept %s\n", s < 0 ? errno_name(errno) : "ok");
	wait_for(s, POLLIN | POLLHUP);
	CALL(read(s, text, 4));
	CALL(read(s, text, 4));
	CALL(read(s, text, 4));
	close(s);
	close(l);
}

int main(int argc, char **argv)
{
	start(argc, argv);
	static const struct { const char *title; void (*run)(int, int); } CASES[] = {
		{"SO_LINGER 0, drained", drained}, {"SO_LINGER 0, undrained", undrained}, {"closed with unread data", unread},
		{"seen by SO_ERROR", by_so_error}, {"seen by write", by_write}, {"seen in a blocked read", blocked},
		{"seen in a blocked write", blocked_writer}, {"seen by epoll", by_edges},
		{"behind data that is not read", behind_data},
	};
	for (unsigned i = 0; i < sizeof CASES / sizeof *CASES; i++) {
		int c, s;
		printf("-- %s, by the client\n", CASES[i].title);
		pair(&c, &s);
		CASES[i].run(c, s);
		printf("-- %s, by the server\n", CASES[i].title);
		pair(&c, &s);
		CASES[i].run(s, c);
	}
	printf("-- reset before accept\n");
	before_accept();
	return 0;
}
