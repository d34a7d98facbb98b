/* Half-close, each direction first, with data on the way. */
#include "d.h"

enum { BULK = 300000 };

static void *write_bulk(void *fd)
{
	static char bulk[BULK];
	memset(bulk, 'b', sizeof bulk);
	long n = write_all(*(int *)fd, bulk, BULK);
	shutdown(*(int *)fd, SHUT_WR);
	return (void *)n;
}

static void first(const char *title, int a, int b)
{
	printf("-- %s closes its half first\n", title);
	char text[16];
	CALL(write(a, "last words", 10));
	CALL(shutdown(a, SHUT_WR));
	SHOW_EVENTS(b, POLLIN | POLLRDHUP);
	CALL(read_all(b, text, 10));
	CALL(read(b, text, 1));
	SHOW_EVENTS(b, POLLIN | POLLRDHUP);
	CALL(read(b, text, 1));
	CALL(write(a, "x", 1));
	printf("a: events %s\n", events_text(poll_now(a)));
	static char bulk[BULK];
	pthread_t t;
	pthread_create(&t, NULL, write_bulk, &b);
	CALL(read_all(a, bulk, BULK));
	CALL(read(a, bulk, 1));
	void *put;
	pthread_join(t, &put);
	printf("written against the half-closed direction: %ld\n", (long)put);
	SHOW_EVENTS(a, POLLIN | POLLRDHUP | POLLHUP);
	SHOW_EVENTS(b, POLLIN | POLLRDHUP | POLLHUP);
	CALL(write(b, "x", 1));
	printf("SO_ERROR %s %s\n", so_error(a), so_error(b));
	close(a);
	close(b);
}

static void sigpipe(void)
{
	printf("-- SIGPIPE after SHUT_WR\n");
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		int c, s;
		signal(SIGPIPE, SIG_DFL);
		pair(&c, &s);
		shutdown(c, SHUT_WR);
		CALL(send(c, "x", 1, MSG_NOSIGNAL));
		write(c, "x", 1);
		_exit(9);
	}
	reap(pid, "writer");
}

int main(int argc, char **argv)
{
	start(argc, argv);
	int c, s;
	pair(&c, &s);
	first("the client", c, s);
	pair(&c, &s);
	first("the server", s, c);
	sigpipe();
	return 0;
}
