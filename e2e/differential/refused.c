/* A port that refuses: blocking, non-blocking, seen by poll, epoll, SO_ERROR, read and write; and connecting again. */
#include "d.h"

static void blocking(const Addr *bad, const Addr *good, int l)
{
	printf("-- blocking\n");
	int c = tcp(0);
	CALL(connect(c, &bad->sa, addr_len(bad)));
	printf("SO_ERROR %s\n", so_error(c));
	show_peer("c", c);
	CALL(connect(c, &bad->sa, addr_len(bad)));
	CALL(connect(c, &good->sa, addr_len(good)));
	int s = accepted(l);
	show_works("connected at the third attempt", c, s);
	close(c);
	close(s);
}

static void seen_by_so_error(const Addr *bad, const Addr *good, int l)
{
	printf("-- non-blocking, SO_ERROR\n");
	int c = tcp(SOCK_NONBLOCK);
	char b[4];
	CALL(connect(c, &bad->sa, addr_len(bad)));
	SHOW_EVENTS(c, POLLOUT | POLLERR | POLLHUP);
	printf("SO_ERROR %s\n", so_error(c));
	printf("SO_ERROR %s\n", so_error(c));
	show_peer("c", c);
	CALL(read(c, b, 4));
	CALL(write(c, b, 4));
	/* The failure has been taken by SO_ERROR: Linux answers once with ECONNABORTED. */
	CALL(connect(c, &good->sa, addr_len(good)));
	CALL(connect(c, &good->sa, addr_len(good)));
	SHOW_EVENTS(c, POLLOUT);
	printf("SO_ERROR %s\n", so_error(c));
	int s = accepted(l);
	nonblocking(c, 0);
	show_works("connected at the second attempt", c, s);
	close(c);
	close(s);
}

static void seen_by_connect(const Addr *bad)
{
	printf("-- non-blocking, connect again\n");
	int c = tcp(SOCK_NONBLOCK);
	CALL(connect(c, &bad->sa, addr_len(bad)));
	SHOW_EVENTS(c, POLLOUT | POLLERR | POLLHUP);
	CALL(connect(c, &bad->sa, addr_len(bad)));
	CALL(connect(c, &bad->sa, addr_len(bad)));
	SHOW_EVENTS(c, POLLOUT | POLLERR | POLLHUP);
	printf("SO_ERROR %s\n", so_error(c));
	close(c);
}

static void seen_by_io(const Addr *bad)
{
	printf("-- non-blocking, read and write\n");
	char b[4] = "abc";
	int c = tcp(SOCK_NONBLOCK);
	CALL(connect(c, &bad->sa, addr_len(bad)));
	SHOW_EVENTS(c, POLLOUT | POLLERR | POLLHUP);
	CALL(read(c, b, 4));
	CALL(read(c, b, 4));
	printf("SO_ERROR %s\n", so_error(c));
	close(c);
	c = tcp(SOCK_NONBLOCK);
	CALL(connect(c, &bad->sa, addr_len(bad)));
	SHOW_EVENTS(c, POLLOUT | POLLERR | POLLHUP);
	CALL(write(c, b, 4));
	CALL(write(c, b, 4));
	printf("SO_ERROR %s\n", so_error(c));
	close(c);
	c = tcp(SOCK_NONBLOCK);
	CALL(connect(c, &bad->sa, addr_len(bad)));
	SHOW_EVENTS(c, POLLOUT | POLLERR | POLLHUP);
	CALL(recv(c, b, 4, MSG_PEEK));
	CALL(send(c, b, 4, MSG_NOSIGNAL));
	close(c);
}

static void seen_by_edges(const Addr *bad)
{
	printf("-- non-blocking, epoll\n");
	int c = tcp(SOCK_NONBLOCK), ep = epoll_create1(0);
	struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET}, got;
	CALL(connect(c, &bad->sa, addr_len(bad)));
	CALL(epoll_ctl(ep, EPOLL_CTL_ADD, c, &e));
	int n = epoll_wait(ep, &got, 1, DEADLINE_MS);
	printf("edge: %d %s\n", n, n > 0 ? events_text(got.events) : "");
	CALL(epoll_wait(ep, &got, 1, 50));
	printf("SO_ERROR %s\n", so_error(c));
	close(c);
	close(ep);
}

static void of_a_duplicate(const Addr *bad)
{
	printf("-- seen through a duplicate\n");
	int c = tcp(SOCK_NONBLOCK), d = dup(c);
	CALL(connect(c, &bad->sa, addr_len(bad)));
	SHOW_EVENTS(d, POLLOUT | POLLERR | POLLHUP);
	close(c);
	printf("SO_ERROR %s\n", so_error(d));
	close(d);
}

int main(int argc, char **argv)
{
	start(argc, argv);
	Addr bad, good;
	refusing(&bad);
	int l = listener(8, &good);
	blocking(&bad, &good, l);
	seen_by_so_error(&bad, &good, l);
	seen_by_connect(&bad);
	seen_by_io(&bad);
	seen_by_edges(&bad);
	of_a_duplicate(&bad);
	return 0;
}
