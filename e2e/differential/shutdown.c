/* shutdown in each state and each direction. */
#include "d.h"

static void unconnected(void)
{
	printf("-- not connected\n");
	int fd = tcp(0);
	CALL(shutdown(fd, SHUT_RD));
	CALL(shutdown(fd, SHUT_WR));
	CALL(shutdown(fd, SHUT_RDWR));
	CALL(shutdown(fd, 7));
	CALL(shutdown(-1, SHUT_RD));
	Addr a = loopback(0);
	bind(fd, &a.sa, addr_len(&a));
	CALL(shutdown(fd, SHUT_RDWR));
	close(fd);
}

static void write_side(void)
{
	printf("-- SHUT_WR\n");
	int c, s;
	char b[8];
	pair(&c, &s);
	CALL(write(c, "tail", 4));
	CALL(shutdown(c, SHUT_WR));
	CALL(shutdown(c, SHUT_WR));
	CALL(write(c, "x", 1));
	CALL(send(c, "", 0, 0));
	CALL(read_all(s, b, 8));
	printf("c: events %s\n", events_text(poll_now(c)));
	CALL(write(s, "back", 4));
	CALL(read_all(c, b, 4));
	close(c), close(s);
}

static void read_side(void)
{
	printf("-- SHUT_RD\n");
	int c, s;
	char b[8];
	pair(&c, &s);
	CALL(shutdown(c, SHUT_RD));
	printf("c: events %s\n", events_text(poll_now(c)));
	CALL(read(c, b, 8));
	CALL(write(c, "still", 5));
	CALL(read_all(s, b, 5));
	printf("s: events %s\n", events_text(poll_now(s)));
	CALL(shutdown(c, SHUT_WR));
	SHOW_EVENTS(s, POLLIN | POLLRDHUP);
	CALL(read(s, b, 1));
	close(c), close(s);
	printf("-- SHUT_RD with data queued\n");
	pair(&c, &s);
	CALL(write(s, "queued", 6));
	wait_bytes(c, 6);
	CALL(shutdown(c, SHUT_RD));
	CALL(read(c, b, 6));
	CALL(read(c, b, 6));
	close(c), close(s);
}

static void both_sides(void)
{
	printf("-- SHUT_RDWR\n");
	int c, s;
	char b[8];
	pair(&c, &s);
	CALL(shutdown(c, SHUT_RDWR));
	printf("c: events %s\n", events_text(poll_now(c)));
	CALL(read(c, b, 1));
	CALL(write(c, b, 1));
	SHOW_EVENTS(s, POLLIN | POLLRDHUP);
	CALL(read(s, b, 1));
	CALL(shutdown(s, SHUT_RDWR));
	SHOW_EVENTS(s, POLLIN | POLLRDHUP | POLLHUP);
	CALL(read(s, b, 1));
	show_name("s", s);
	close(c), close(s);
}

static void *blocked_read(void *fd)
{
	char b[4];
	return (void *)read(*(int *)fd, b, 4);
}

static void *blocked_accept(void *fd)
{
	int r = accept(*(int *)fd, NULL, NULL);
	return (void *)(long)(r < 0 ? -errno : 0);
}

static void wakes(void)
{
	printf("-- shutdown wakes those who wait\n");
	int c, s;
	void *r;
	pthread_t t;
	pair(&c, &s);
	pthread_create(&t, NULL, blocked_read, &c);
	pause_ms(30);
	CALL(shutdown(c, SHUT_RD));
	pthread_join(t, &r);
	printf("read in another thread: %ld\n", (long)r);
	close(c), close(s);
	Addr at;
	int l = listener(4, &at);
	pthread_create(&t, NULL, blocked_accept, &l);
	pause_ms(30);
	CALL(shutdown(l, SHUT_RDWR));
	pthread_join(t, &r);
	printf("accept in another thread: %s\n", errno_name(-(long)r));
	close(l);
}

static void listening(void)
{
	printf("-- a listener\n");
	Addr at;
	int l = listener(4, &at), c = client(&at);
	nonblocking(l, 1);
	CALL(shutdown(l, SHUT_RD));
	SHOW_EVENTS(c, POLLERR | POLLHUP);
	printf("l: events %s\n", events_text(poll_now(l)));
	CALL(accept(l, NULL, NULL));
	close(c);
	c = tcp(0);
	CALL(connect(c, &at.sa, addr_len(&at)));
	close(c);
	CALL(int_option(l, SOL_SOCKET, SO_ACCEPTCONN));
	show_name("l", l);
	close(l);
	printf("-- a listener, SHUT_WR\n");
	l = listener(4, &at);
	CALL(shutdown(l, SHUT_WR));
	c = client(&at);
	int s = accepted(l);
	show_works("pair", c, s);
	close(c), close(s), close(l);
	printf("-- listening again after shutdown\n");
	l = listener(4, &at);
	CALL(shutdown(l, SHUT_RDWR));
	CALL(listen(l, 4));
	at = name_of(l);
	c = client(&at);
	s = accepted(l);
	show_works("pair", c, s);
	close(c), close(s), close(l);
}

int main(int argc, char **argv)
{
	start(argc, argv);
	unconnected();
	write_side();
	read_side();
	both_sides();
	wakes();
	listening();
	return 0;
}
