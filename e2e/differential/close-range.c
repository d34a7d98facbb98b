/* Closing everything, as daemons do; numbers that the program chooses; the lowest free number. */
#include "d.h"

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC 4
#endif

static void works(const char *what)
{
	int c, s;
	pair(&c, &s);
	printf("%s: numbers %d %d ", what, c, s);
	show_works("pair", c, s);
	close(c), close(s);
}

/* Runs `act` in a child, where the numbers are fresh. */
static void in_child(const char *title, void (*act)(void))
{
	printf("-- %s\n", title);
	pid_t pid = fork();
	if (pid == 0) {
		act();
		_exit(0);
	}
	reap(pid, "child");
}

static void numbers(void)
{
	closefrom(3);
	int a, b;
	CALL(a = tcp(0));
	CALL(b = tcp(SOCK_CLOEXEC));
	close(a);
	CALL(dup(b));
	CALL(tcp(0));
	CALL(fcntl(b, F_DUPFD, 10));
	CALL(socket(AF_UNIX, SOCK_STREAM, 0));
	CALL(open("/dev/null", O_RDONLY));
	CALL(epoll_create1(0));
	Addr at;
	CALL(listener(4, &at));
	CALL(client(&at));
}

static void by_closefrom(void)
{
	int c, s;
	pair(&c, &s);
	closefrom(3);
	CALL(fcntl(c, F_GETFD));
	works("after closefrom");
	closefrom(3);
	works("again");
}

static void by_close_range(void)
{
	int c, s;
	pair(&c, &s);
	CALL(close_range(3, ~0U, 0));
	CALL(fcntl(c, F_GETFD));
	works("after close_range");
	CALL(close_range(3, ~0U, CLOSE_RANGE_CLOEXEC));
	works("after CLOSE_RANGE_CLOEXEC");
	CALL(close_range(7, 3, 0));
	CALL(close_range(3, ~0U, 0x4000));
	CALL((int)syscall(SYS_close_range, 3, ~0U, 0));
	works("after syscall(SYS_close_range)");
}

static void one_by_one(void)
{
	closefrom(3);
	int c, s;
	pair(&c, &s);
	struct rlimit l;
	getrlimit(RLIMIT_NOFILE, &l);
	int limit = l.rlim_cur > 65536 ? 65536 : (int)l.rlim_cur, open = 0;
	for (int fd = 3; fd < limit; fd++)
		open += close(fd) == 0;
	printf("closed %d, number %d among them %d\n", open, c, fcntl(c, F_GETFD) < 0);
	works("after closing each number");
}

static void onto_high_numbers(void)
{
	struct rlimit l;
	getrlimit(RLIMIT_NOFILE, &l);
	int top = l.rlim_cur > 4096 ? 4096 : (int)l.rlim_cur, null = open("/dev/null", O_RDWR), bad = 0;
	for (int fd = 3; fd < top; fd++)
		bad += fd != null && dup2(null, fd) != fd;
	printf("dup2 that failed: %d\n", bad);
	bad = 0;
	for (int fd = 3; fd < top; fd++)
		bad += fd != null && close(fd) != 0;
	printf("close that failed: %d\n", bad);
	works("after dup2 over every number");
	CALL(dup2(null, (int)l.rlim_cur));
	CALL(dup2(9999, 5));
	CALL(dup3(null, null, 0));
}

static void standard_numbers(void)
{
	int keep = dup(1);
	Addr at;
	int l = listener(4, &at), c = client(&at), s = accepted(l);
	dup2(s, 0), dup2(s, 1), dup2(s, 2);
	close(s), close(l);
	/* As inetd and vsftpd do. */
	write(1, "out", 3);
	write(2, "err", 3);
	char b[8] = "";
	long n = read_all(c, b, 6);
	write(c, "in", 2);
	char in[8] = "";
	long m = read_all(0, in, 2);
	Addr peer;
	socklen_t len = sizeof peer;
	int r = getpeername(0, &peer.sa, &len);
	dup2(keep, 1);
	printf("got %ld %s, read %ld %s, getpeername(0) %d family %d\n", n, b, m, in, r, peer.sa.sa_family);
}

static void without_standard(void)
{
	int out = fcntl(1, F_DUPFD, 20);
	close(0), close(1), close(2);
	int a = socket(family, SOCK_STREAM, 0), b = socket(family, SOCK_STREAM, 0);
	dprintf(out, "numbers %d %d\n", a, b);
}

int main(int argc, char **argv)
{
	start(argc, argv);
	in_child("the lowest free number", numbers);
	in_child("closefrom", by_closefrom);
	in_child("close_range", by_close_range);
	in_child("close of every number", one_by_one);
	in_child("dup2 over every number", onto_high_numbers);
	in_child("dup2 to 0, 1 and 2", standard_numbers);
	in_child("with 0, 1 and 2 closed", without_standard);
	in_child("grandchildren", by_closefrom);
	return 0;
}
