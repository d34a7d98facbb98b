/* Four forked processes accept from one listener: each connection is served once, by whoever took it. */
#include "d.h"

enum { WORKERS = 4, CONNECTIONS = 60 };

static void blocking_worker(int l)
{
	for (;;) {
		int s = accept(l, NULL, NULL);
		char b;
		if (s < 0)
			_exit(3);
		if (read_all(s, &b, 1) == 1 && b == 'q')
			_exit(0);
		b = 'k';
		write_all(s, &b, 1);
		close(s);
	}
}

static void epoll_worker(int l, unsigned flags)
{
	int ep = epoll_create1(0);
	struct epoll_event e = {.events = EPOLLIN | flags}, got;
	epoll_ctl(ep, EPOLL_CTL_ADD, l, &e);
	for (;;) {
		if (epoll_wait(ep, &got, 1, DEADLINE_MS) < 1)
			_exit(4);
		for (;;) {
			int s = accept4(l, NULL, NULL, SOCK_CLOEXEC);
			char b;
			if (s < 0 && errno == EAGAIN)
				break;
			if (s < 0)
				_exit(3);
			if (read_all(s, &b, 1) == 1 && b == 'q')
				_exit(0);
			b = 'k';
			write_all(s, &b, 1);
			close(s);
		}
	}
}

static void run(const char *title, int epoll, unsigned flags)
{
	printf("-- %s\n", title);
	Addr at;
	int l = listener(64, &at), served = 0;
	pid_t pid[WORKERS];
	nonblocking(l, epoll);
	for (int i = 0; i < WORKERS; i++)
		if ((pid[i] = fork()) == 0) {
			if (epoll)
				epoll_worker(l, flags);
			blocking_worker(l);
		}
	close(l);
	for (int i = 0; i < CONNECTIONS; i++) {
		int c = client(&at);
		char b = 'r';
		served += write_all(c, &b, 1) == 1 && read_all(c, &b, 1) == 1 && b == 'k' && read(c, &b, 1) == 0;
		close(c);
	}
	printf("served %d of %d\n", served, CONNECTIONS);
	/* Eight at once, answered in any order. */
	int c[8];
	for (int i = 0; i < 8; i++) {
		c[i] = client(&at);
		write_all(c[i], "r", 1);
	}
	served = 0;
	for (int i = 0; i < 8; i++) {
		char b = 0;
		served += read_all(c[i], &b, 1) == 1 && b == 'k';
		close(c[i]);
	}
	printf("served %d of 8 at once\n", served);
	int ended = 0;
	for (int i = 0; i < WORKERS; i++) {
		int q = client(&at);
		write_all(q, "q", 1);
		/* The worker that takes it exits; its listener's descriptor goes with it. */
		char b;
		read(q, &b, 1);
		close(q);
	}
	for (int i = 0; i < WORKERS; i++) {
		int status;
		waitpid(pid[i], &status, 0);
		ended += WIFEXITED(status) && WEXITSTATUS(status) == 0;
	}
	printf("workers that ended well: %d\n", ended);
	int c2 = tcp(0);
	CALL(connect(c2, &at.sa, addr_len(&at)));
	close(c2);
}

int main(int argc, char **argv)
{
	start(argc, argv);
	run("blocking accept", 0, 0);
	run("epoll, level-triggered", 1, 0);
	run("epoll, EPOLLEXCLUSIVE", 1, EPOLLEXCLUSIVE);
	run("epoll, edge-triggered", 1, EPOLLET);
	return 0;
}
