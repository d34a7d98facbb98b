/* select, pselect, poll and ppoll over several sockets. */
#include "d.h"

static void show_select(const char *what, int c, int l, int ms)
{
	fd_set r, w, e;
	FD_ZERO(&r);
	FD_ZERO(&w);
	FD_ZERO(&e);
	FD_SET(c, &r);
	FD_SET(l, &r);
	FD_SET(c, &w);
	FD_SET(c, &e);
	struct timeval t = {ms / 1000, ms % 1000 * 1000};
	int n = select((c > l ? c : l) + 1, &r, &w, &e, &t);
	printf("%s: %d c%s%s%s l%s\n", what, n, FD_ISSET(c, &r) ? " readable" : "", FD_ISSET(c, &w) ? " writable" : "",
		FD_ISSET(c, &e) ? " exception" : "", FD_ISSET(l, &r) ? " readable" : "");
}

int main(int argc, char **argv)
{
	start(argc, argv);
	Addr at;
	char b[8];
	int l = listener(4, &at), c = tcp(SOCK_NONBLOCK);
	printf("-- select\n");
	show_select("before connect", c, l, 0);
	CALL(connect(c, &at.sa, addr_len(&at)));
	wait_for(c, POLLOUT);
	wait_for(l, POLLIN);
	show_select("connected", c, l, 1000);
	int s = accepted(l);
	show_select("accepted", c, l, 0);
	CALL(write(s, "ab", 2));
	wait_for(c, POLLIN);
	show_select("data", c, l, 1000);
	CALL(read(c, b, 8));
	show_select("drained", c, l, 0);
	shutdown(s, SHUT_WR);
	wait_for(c, POLLRDHUP);
	show_select("end", c, l, 1000);
	close(s);
	close(c);
	printf("-- select of a refused connect\n");
	Addr bad;
	refusing(&bad);
	c = tcp(SOCK_NONBLOCK);
	CALL(connect(c, &bad.sa, addr_len(&bad)));
	wait_for(c, POLLERR | POLLHUP);
	show_select("refused", c, l, 1000);
	printf("SO_ERROR %s\n", so_error(c));
	close(c);
	printf("-- poll\n");
	int pairs[3][2];
	for (int i = 0; i < 3; i++)
		pair(&pairs[i][0], &pairs[i][1]);
	struct pollfd p[5] = {{pairs[0][0], POLLIN, 0}, {pairs[1][0], POLLIN | POLLOUT, 0}, {pairs[2][0], POLLRDHUP, 0}, {-1, POLLIN, 0}, {9999, POLLIN, 0}};
	CALL(poll(p, 5, 0));
	for (int i = 0; i < 5; i++)
		printf("%d: %s\n", i, events_text(p[i].revents));
	CALL(write(pairs[0][1], "x", 1));
	close(pairs[1][1]);
	shutdown(pairs[2][1], SHUT_WR);
	wait_for(pairs[0][0], POLLIN);
	wait_for(pairs[1][0], POLLIN | POLLRDHUP);
	wait_for(pairs[2][0], POLLRDHUP);
	struct timespec t = {1, 0};
	CALL(ppoll(p, 4, &t, NULL));
	for (int i = 0; i < 4; i++)
		printf("%d: %s\n", i, events_text(p[i].revents));
	CALL(poll(p, 1, -1));
	printf("-- timeouts\n");
	pair(&c, &s);
	struct pollfd q = {c, POLLIN, 0};
	int64_t begin = now_ms();
	CALL(poll(&q, 1, 60));
	printf("after 60 ms: %d\n", now_ms() - begin >= 59);
	fd_set r;
	FD_ZERO(&r);
	FD_SET(c, &r);
	struct timespec short_time = {0, 60000000};
	begin = now_ms();
	CALL(pselect(c + 1, &r, NULL, NULL, &short_time, NULL));
	printf("after 60 ms: %d\n", now_ms() - begin >= 59);
	printf("-- a sleeper is woken by another process\n");
	pid_t pid = fork();
	if (pid == 0) {
		pause_ms(50);
		write(s, "w", 1);
		_exit(0);
	}
	CALL(poll(&q, 1, DEADLINE_MS));
	printf("%s\n", events_text(q.revents));
	reap(pid, "writer");
	close(s);
	return 0;
}
