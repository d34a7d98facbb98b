/* The accept queue: how many connections it takes, what the next one sees, and that it gets in later. */
#include "d.h"

static void full(int backlog)
{
	printf("-- listen(%d)\n", backlog);
	Addr at;
	char b[4];
	int l = listener(backlog, &at), c[8], n = 0;
	while (n < backlog + 1) {
		c[n] = tcp(SOCK_NONBLOCK);
		connect(c[n], &at.sa, addr_len(&at));
		printf("%d: %s\n", n, events_text(wait_for(c[n], POLLOUT)));
		n++;
	}
	/* Linux drops the SYN of one more, which tries again after a second. */
	int late = c[n++] = tcp(SOCK_NONBLOCK);
	CALL(connect(late, &at.sa, addr_len(&at)));
	pause_ms(100);
	printf("late: %s\n", events_text(poll_now(late)));
	printf("SO_ERROR %s\n", so_error(late));
	show_peer("late", late);
	CALL(connect(late, &at.sa, addr_len(&at)));
	CALL(read(late, b, 4));
	CALL(write(late, b, 4));
	int s = accepted(l);
	close(s);
	SHOW_EVENTS(late, POLLOUT);
	printf("SO_ERROR %s\n", so_error(late));
	int accepts = 1;
	nonblocking(l, 1);
	while (accepts < n && wait_for(l, POLLIN) & POLLIN && (s = accept(l, NULL, NULL)) >= 0) {
		accepts++;
		close(s);
	}
	printf("accepted %d of %d\n", accepts, n);
	CALL(accept(l, NULL, NULL));
	while (n-- > 0)
		close(c[n]);
	close(l);
}

/* What a connection sent and whether it ended, before it was accepted. */
static void queued(void)
{
	printf("-- data and end of a queued connection\n");
	Addr at;
	char b[8];
	int l = listener(4, &at), c = client(&at), d = client(&at);
	CALL(write(c, "early", 5));
	close(c);
	CALL(write(d, "wait", 4));
	printf("l: events %s\n", events_text(poll_now(l)));
	int s = accepted(l);
	CALL(read_all(s, b, 8));
	close(s);
	s = accepted(l);
	CALL(read_all(s, b, 4));
	show_works("second", d, s);
	close(s);
	close(d);
	close(l);
}

/* A listener that is closed resets what was queued. */
static void closed(void)
{
	printf("-- closed with a queued connection\n");
	Addr at;
	char b[4];
	int l = listener(4, &at), c = client(&at);
	close(l);
	SHOW_EVENTS(c, POLLERR | POLLHUP);
	CALL(read(c, b, 4));
	close(c);
	c = tcp(0);
	CALL(connect(c, &at.sa, addr_len(&at)));
	close(c);
}

static void again(void)
{
	printf("-- listen again with another backlog\n");
	Addr at;
	int l = listener(0, &at), c[4];
	c[0] = client(&at);
	CALL(listen(l, 3));
	for (int i = 1; i < 4; i++) {
		c[i] = client(&at);
		printf("%d connected\n", i);
	}
	for (int i = 0; i < 4; i++) {
		int s = accepted(l);
		show_works("accepted", s, c[i]);
		close(s);
		close(c[i]);
	}
	CALL(listen(l, -1));
	close(l);
}

int main(int argc, char **argv)
{
	start(argc, argv);
	full(0);
	full(2);
	queued();
	closed();
	again();
	return 0;
}
