/* Out of descriptors: accept keeps the connection, socket() fails, both work again afterwards. */
#include "d.h"

static void limit(rlim_t soft)
{
	struct rlimit l;
	getrlimit(RLIMIT_NOFILE, &l);
	l.rlim_cur = soft;
	if (setrlimit(RLIMIT_NOFILE, &l) < 0)
		die("setrlimit");
}

int main(int argc, char **argv)
{
	start(argc, argv);
	struct rlimit before;
	getrlimit(RLIMIT_NOFILE, &before);
	Addr at;
	char b[8];
	int l = listener(4, &at), c = client(&at), d = client(&at);
	CALL(write(c, "first", 5));
	CALL(write(d, "other", 5));
	int free = dup(l);
	close(free);
	limit(free);
	CALL(accept(l, NULL, NULL));
	CALL(accept4(l, NULL, NULL, SOCK_CLOEXEC));
	CALL(socket(family, SOCK_STREAM, 0));
	CALL(dup(l));
	printf("l: events %s\n", events_text(poll_now(l)));
	limit(free + 1);
	int s;
	FD(s = accept(l, NULL, NULL));
	printf("lowest number %d\n", s == free);
	CALL(read_all(s, b, 5));
	CALL(accept(l, NULL, NULL));
	limit(before.rlim_cur);
	int t;
	FD(t = accept(l, NULL, NULL));
	CALL(read_all(t, b, 5));
	show_works("first", c, s);
	show_works("second", d, t);
	FD(socket(family, SOCK_STREAM, 0));
	nonblocking(l, 1);
	CALL(accept(l, NULL, NULL));
	return 0;
}
