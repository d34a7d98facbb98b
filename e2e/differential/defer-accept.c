/* TCP_DEFER_ACCEPT: a connection is there to accept when its first data is, its end, or when its time is over. */
#include "d.h"

static int deferring(int seconds, Addr *at)
{
	int l = listener(8, at);
	set_int(l, IPPROTO_TCP, TCP_DEFER_ACCEPT, seconds);
	nonblocking(l, 1);
	return l;
}

static void show_waits(int l)
{
	struct pollfd p = {l, POLLIN, 0};
	CALL(poll(&p, 1, 200));
	CALL(accept(l, NULL, NULL));
}

static void data(void)
{
	printf("-- until data\n");
	Addr at;
	int l = deferring(5, &at), c = client(&at), other = client(&at);
	show_waits(l);
	CALL(write(c, "x", 1));
	SHOW_EVENTS(l, POLLIN);
	int s = accepted(l);
	char x;
	CALL(read(s, &x, 1));
	printf("its own: %d\n", int_option(s, IPPROTO_TCP, TCP_DEFER_ACCEPT));
	show_works("pair", c, s);
	show_waits(l);
	close(c), close(s), close(other), close(l);
}

static void end(void)
{
	printf("-- until the end\n");
	Addr at;
	int l = deferring(5, &at), c = client(&at);
	show_waits(l);
	CALL(shutdown(c, SHUT_WR));
	SHOW_EVENTS(l, POLLIN);
	int s = accepted(l);
	char x;
	CALL(read(s, &x, 1));
	close(c), close(s), close(l);
}

static void silence(void)
{
	printf("-- until its time is over\n");
	Addr at;
	int l = deferring(1, &at), c = client(&at);
	show_waits(l);
	SHOW_EVENTS(l, POLLIN);
	int s = accepted(l);
	show_works("pair", c, s);
	close(c), close(s), close(l);
}

int main(int argc, char **argv)
{
	start(argc, argv);
	data();
	end();
	silence();
	return 0;
}
