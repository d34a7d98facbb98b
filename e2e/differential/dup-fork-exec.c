/* Duplicates, children and exec'd programs share a connected or listening socket. */
#include "d.h"

static char *self;

static int exec_with(const char *role, int fd)
{
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		char number[16];
		snprintf(number, sizeof number, "%d", fd);
		execl(self, self, family == AF_INET6 ? "6" : "4", role, number, NULL);
		_exit(127);
	}
	return pid;
}

static void duplicates(void)
{
	printf("-- dup, dup2, dup3, F_DUPFD of a connected socket\n");
	int c, s;
	char b[8];
	pair(&c, &s);
	int copies[4] = {dup(c), dup2(c, 100), dup3(c, 101, O_CLOEXEC), fcntl(c, F_DUPFD_CLOEXEC, 102)};
	close(c);
	for (int i = 0; i < 4; i++) {
		printf("copy %d cloexec %d ", i, fcntl(copies[i], F_GETFD));
		show_peer("of", copies[i]);
		CALL(write(copies[i], "abc", 3));
		CALL(read_all(s, b, 3));
		close(copies[i]);
	}
	CALL(read(s, b, 1));
	close(s);
	printf("-- dup2 onto a connected socket closes it\n");
	pair(&c, &s);
	int null = open("/dev/null", O_RDWR);
	CALL(dup2(null, c) == c ? 0 : -1);
	CALL(read(s, b, 1));
	CALL(getsockopt(c, SOL_SOCKET, SO_TYPE, b, &(socklen_t){4}));
	CALL(write(c, "abc", 3));
	close(c);
	close(s);
	close(null);
	printf("-- a socket number issued again to a file\n");
	pair(&c, &s);
	close(c);
	int file = open("/dev/null", O_RDWR);
	printf("same number %d\n", file == c);
	show_name("file", file);
	CALL(connect(file, NULL, 0));
	CALL(shutdown(file, SHUT_RDWR));
	close(file);
	close(s);
}

static void dup_before_connect(void)
{
	printf("-- duplicated before connect and before listen\n");
	Addr at;
	int l = tcp(0), ldup = dup(l);
	Addr a = loopback(0);
	CALL(bind(ldup, &a.sa, addr_len(&a)));
	CALL(listen(l, 4));
	close(l);
	at = name_of(ldup);
	label_port(port_of(&at), "L");
	show_name("ldup", ldup);
	int c = tcp(0), cdup = dup(c);
	CALL(connect(c, &at.sa, addr_len(&at)));
	int s = accepted(ldup);
	show_peer("cdup", cdup);
	show_works("through the duplicate", cdup, s);
	close(c);
	show_works("after closing the first", cdup, s);
	close(cdup);
	close(s);
	close(ldup);
}

static void children(void)
{
	printf("-- fork of a connected socket\n");
	int c, s;
	char b[8];
	pair(&c, &s);
	pid_t pid = fork();
	if (pid == 0) {
		show_peer("child", c);
		CALL(write(c, "child", 5));
		_exit(0);
	}
	reap(pid, "child");
	CALL(read_all(s, b, 5));
	CALL(write(c, "parent", 6));
	CALL(read_all(s, b, 6));
	pid = fork();
	if (pid == 0) {
		close(s);
		close(c);
		_exit(0);
	}
	reap(pid, "closing child");
	show_works("after the child closed both", c, s);
	pid = fork();
	if (pid == 0) {
		CALL(shutdown(c, SHUT_WR));
		_exit(0);
	}
	reap(pid, "shutting child");
	CALL(read(s, b, 1));
	CALL(write(c, "x", 1));
	close(c);
	close(s);

	printf("-- fork of a listening socket; the parent closes it\n");
	Addr at;
	int l = listener(4, &at);
	pid = fork();
	if (pid == 0) {
		show_name("child l", l);
		int got = accepted(l);
		char x;
		read_all(got, &x, 1);
		write(got, &x, 1);
		close(got);
		_exit(0);
	}
	close(l);
	c = client(&at);
	write(c, "e", 1);
	reap(pid, "accepting child");
	CALL(read_all(c, b, 1));
	CALL(read(c, b, 1));
	close(c);
	c = tcp(0);
	CALL(connect(c, &at.sa, addr_len(&at)));
	close(c);

	printf("-- sockets made in a child, and in its child\n");
	pid = fork();
	if (pid == 0) {
		pid_t inner = fork();
		if (inner == 0) {
			int x, y;
			pair(&x, &y);
			show_works("grandchild", x, y);
			_exit(0);
		}
		reap(inner, "grandchild");
		int x, y;
		pair(&x, &y);
		show_works("child", x, y);
		_exit(0);
	}
	reap(pid, "child");
	printf("-- vfork\n");
	pid = vfork();
	if (pid == 0)
		_exit(5);
	reap(pid, "vfork child");
	pair(&c, &s);
	show_works("after vfork", c, s);
	close(c);
	close(s);
}

static void executed(void)
{
	printf("-- exec with a connected socket\n");
	int c, s;
	char b[8];
	pair(&c, &s);
	pid_t pid = exec_with("connected", c);
	/* Silent while the program prints. */
	read_all(s, b, 5);
	write(s, "reply", 5);
	reap(pid, "program");
	show_works("afterwards", c, s);
	close(c);
	close(s);
	printf("-- exec with a listening socket\n");
	Addr at;
	int l = listener(4, &at);
	pid = exec_with("listening", l);
	close(l);
	c = client(&at);
	write(c, "hello", 5);
	reap(pid, "program");
	CALL(read_all(c, b, 5));
	close(c);
	printf("-- exec closes what is close-on-exec\n");
	int f = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pid = exec_with("closed", f);
	reap(pid, "program");
	close(f);
}

static int role(const char *what, int fd)
{
	char b[8];
	if (!strcmp(what, "closed")) {
		CALL(fcntl(fd, F_GETFD));
		int x, y;
		pair(&x, &y);
		show_works("sockets of its own", x, y);
	} else if (!strcmp(what, "connected")) {
		Addr peer = peer_of(fd), name = name_of(fd);
		label_port(port_of(&peer), "L");
		label_port(port_of(&name), "C");
		show_name("inherited", fd);
		show_peer("inherited", fd);
		CALL(write(fd, "hello", 5));
		CALL(read_all(fd, b, 5));
	} else {
		Addr name = name_of(fd);
		label_port(port_of(&name), "L");
		show_name("inherited", fd);
		printf("SO_ACCEPTCONN %d\n", int_option(fd, SOL_SOCKET, SO_ACCEPTCONN));
		int s = accepted(fd);
		show_name("accepted", s);
		CALL(read_all(s, b, 5));
		CALL(write(s, b, 5));
	}
	return 0;
}

int main(int argc, char **argv)
{
	start(argc, argv);
	self = "/proc/self/exe";
	if (argc > 3)
		return role(argv[2], atoi(argv[3]));
	duplicates();
	dup_before_connect();
	children();
	executed();
	return 0;
}
