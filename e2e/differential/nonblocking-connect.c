/* Non-blocking connect: EINPROGRESS, when the descriptor turns writable, what connect() says again. */
#include "d.h"

static void over_poll(int l, const Addr *at)
{
	printf("-- poll\n");
	int c = tcp(SOCK_NONBLOCK);
	printf("before connect: %s\n", events_text(poll_now(c)));
	CALL(connect(c, &at->sa, addr_len(at)));
	SHOW_EVENTS(c, POLLOUT);
	printf("SO_ERROR %s\n", so_error(c));
	CALL(connect(c, &at->sa, addr_len(at)));
	CALL(connect(c, &at->sa, addr_len(at)));
	Addr name = name_of(c);
	label_port(port_of(&name), "C");
	show_name("c", c);
	show_peer("c", c);
	int s = accepted(l);
	show_peer("s", s);
	nonblocking(c, 0);
	show_works("pair", c, s);
	close(c);
	close(s);
}

static void over_edges(int l, const Addr *at)
{
	printf("-- epoll, edge-triggered, registered before connect\n");
	int c = tcp(SOCK_NONBLOCK), ep = epoll_create1(0);
	struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.u32 = 7}, got;
	CALL(epoll_ctl(ep, EPOLL_CTL_ADD, c, &e));
	int n = epoll_wait(ep, &got, 1, 0);
	printf("before connect: %d %s\n", n, n > 0 ? events_text(got.events) : "");
	CALL(connect(c, &at->sa, addr_len(at)));
	n = epoll_wait(ep, &got, 1, DEADLINE_MS);
	printf("first edge: %d %s\n", n, n > 0 ? events_text(got.events) : "");
	n = epoll_wait(ep, &got, 1, 50);
	printf("second edge: %d %s\n", n, n > 0 ? events_text(got.events) : "");
	CALL(write(c, "hello", 5));
	int s = accepted(l);
	char b[8];
	CALL(read_all(s, b, 5));
	CALL(write(s, "there", 5));
	/* An edge may say once more that there is room to write. */
	do
		n = epoll_wait(ep, &got, 1, DEADLINE_MS);
	while (n > 0 && got.events == EPOLLOUT);
	printf("data edge: %d %s\n", n, n > 0 ? events_text(got.events & ~EPOLLOUT) : "");
	CALL(read_all(c, b, 5));
	close(c);
	close(s);
	close(ep);
}

static void over_fionbio(int l, const Addr *at)
{
	printf("-- FIONBIO and F_SETFL\n");
	int c = tcp(0), on = 1, off = 0;
	CALL(fcntl(c, F_GETFL) & O_NONBLOCK ? 1 : 0);
	CALL(ioctl(c, FIONBIO, &on));
	CALL(fcntl(c, F_GETFL) & O_NONBLOCK ? 1 : 0);
	CALL(connect(c, &at->sa, addr_len(at)));
	SHOW_EVENTS(c, POLLOUT);
	char b[4];
	CALL(read(c, b, 4));
	CALL(ioctl(c, FIONBIO, &off));
	CALL(fcntl(c, F_GETFL) & O_NONBLOCK ? 1 : 0);
	int s = accepted(l);
	CALL(fcntl(s, F_GETFL) & O_NONBLOCK ? 1 : 0);
	show_works("pair", c, s);
	close(c);
	close(s);
}

static void many(int l, const Addr *at)
{
	printf("-- 40 at once\n");
	enum { N = 40 };
	int c[N], s, writable = 0, served = 0;
	for (int i = 0; i < N; i++) {
		c[i] = tcp(SOCK_NONBLOCK);
		if (connect(c[i], &at->sa, addr_len(at)) == 0 || errno != EINPROGRESS)
			printf("connect %d: %s\n", i, errno_name(errno));
	}
	for (int i = 0; i < N; i++)
		writable += wait_for(c[i], POLLOUT) == POLLOUT && int_option(c[i], SOL_SOCKET, SO_ERROR) == 0;
	for (int i = 0; i < N; i++) {
		s = accepted(l);
		served += write(s, "z", 1) == 1;
		close(s);
	}
	int got = 0;
	for (int i = 0; i < N; i++) {
		char b = 0;
		wait_for(c[i], POLLIN);
		got += read(c[i], &b, 1) == 1 && b == 'z';
		close(c[i]);
	}
	printf("writable %d served %d got %d\n", writable, served, got);
}

int main(int argc, char **argv)
{
	start(argc, argv);
	Addr at;
	int l = listener(64, &at);
	over_poll(l, &at);
	over_edges(l, &at);
	over_fionbio(l, &at);
	many(l, &at);
	return 0;
}
