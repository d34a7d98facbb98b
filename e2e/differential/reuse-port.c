/* Listeners that share a port, and ports that bind chooses. */
#include "d.h"

enum { LISTENERS = 4, CLIENTS = 64, MANY = 1000 };

static int shared(const Addr *at)
{
	int fd = tcp(0);
	set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (bind(fd, &at->sa, addr_len(at)) < 0 || listen(fd, 2 * CLIENTS) < 0)
		die("bind and listen");
	nonblocking(fd, 1);
	return fd;
}

/* Connects CLIENTS times; whether all were accepted and served, and by how many of the listeners. */
static void served(const char *when, const Addr *at, int *l, int count)
{
	int c[CLIENTS], by[LISTENERS] = {0}, done = 0, used = 0, works = 0, refused = 0;
	for (int i = 0; i < CLIENTS; i++) {
		c[i] = tcp(0);
		if (connect(c[i], &at->sa, addr_len(at)) < 0)
			refused++;
		else if (write(c[i], "x", 1) != 1)
			die("write");
	}
	int64_t end = now_ms() + DEADLINE_MS;
	while (done < CLIENTS - refused && now_ms() < end) {
		struct pollfd p[LISTENERS];
		for (int i = 0; i < count; i++)
			p[i] = (struct pollfd){l[i], POLLIN, 0};
		poll(p, count, 100);
		for (int i = 0; i < count; i++) {
			int s = accept(l[i], NULL, NULL);
			if (s < 0)
				continue;
			char byte = 0;
			nonblocking(s, 0);
			works += read_all(s, &byte, 1) == 1 && byte == 'x';
			done++, by[i]++;
			close(s);
		}
	}
	for (int i = 0; i < count; i++)
		used += by[i] > 0;
	printf("%s: %d refused, %d accepted, %d with their byte, by %d of %d listeners\n", when, refused, done, works, used, count);
	for (int i = 0; i < CLIENTS; i++)
		close(c[i]);
}

static void group(void)
{
	printf("-- a group of listeners\n");
	Addr at = loopback(0);
	int l[LISTENERS];
	l[0] = shared(&at);
	at = name_of(l[0]);
	for (int i = 1; i < LISTENERS; i++)
		l[i] = shared(&at);
	served("four", &at, l, LISTENERS);
	close(l[LISTENERS - 1]);
	served("one has closed", &at, l, LISTENERS - 1);
	close(l[0]);
	served("the first has closed", &at, l + 1, LISTENERS - 2);
	l[0] = shared(&at);
	served("one more", &at, l, LISTENERS - 1);
	int quiet = shared(&at);
	CALL(shutdown(quiet, SHUT_RD));
	served("one has shut down", &at, l, LISTENERS - 1);
	for (int i = 0; i < LISTENERS - 1; i++)
		close(l[i]);
	int c = tcp(0);
	CALL(connect(c, &at.sa, addr_len(&at)));
	close(c), close(quiet);
}

/* A specific address goes before the wildcard, whatever was first. */
static void specific(void)
{
	printf("-- an address and the wildcard\n");
	Addr any = wildcard(0);
	int wide = shared(&any);
	Addr at = name_of(wide), own = loopback(port_of(&at));
	int narrow = shared(&own), l[2] = {narrow, wide};
	served("both listen", &own, l, 2);
	close(narrow);
	served("the wildcard alone", &own, l + 1, 1);
	close(wide);
}

static int compare(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static void chosen(const char *what, int option)
{
	static int fd[MANY], port[MANY];
	int twice = 0, outside = 0;
	for (int i = 0; i < MANY; i++) {
		fd[i] = tcp(0);
		if (option)
			set_int(fd[i], SOL_SOCKET, option, 1);
		Addr a = i & 1 ? loopback(0) : wildcard(0);
		if (bind(fd[i], &a.sa, addr_len(&a)) < 0)
			die("bind");
		a = name_of(fd[i]);
		port[i] = port_of(&a);
	}
	qsort(port, MANY, sizeof *port, compare);
	for (int i = 0; i < MANY; i++) {
		twice += i > 0 && port[i] == port[i - 1];
		outside += port[i] < 32768 || port[i] > 60999;
	}
	printf("%s: %d ports twice, %d outside the range\n", what, twice, outside);
	for (int i = 0; i < MANY; i++)
		close(fd[i]);
}

int main(int argc, char **argv)
{
	start(argc, argv);
	group();
	specific();
	printf("-- bind to port 0\n");
	struct rlimit limit = {2 * MANY, 2 * MANY};
	setrlimit(RLIMIT_NOFILE, &limit);
	chosen("no option", 0);
	chosen("SO_REUSEADDR", SO_REUSEADDR);
	chosen("SO_REUSEPORT", SO_REUSEPORT);
	return 0;
}
