/* Sockets passed to another process, which never saw the calls that made them. */
#include "d.h"

static void pass(int over, int fd)
{
	char b = 'f', control[CMSG_SPACE(sizeof(int))];
	memset(control, 0, sizeof control);
	struct iovec v = {&b, 1};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);
	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(h), &fd, sizeof fd);
	if (sendmsg(over, &m, 0) != 1)
		die("sendmsg");
}

static int take(int over)
{
	char b, control[CMSG_SPACE(sizeof(int))];
	struct iovec v = {&b, 1};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
	int fd = -1;
	if (recvmsg(over, &m, 0) != 1 || !CMSG_FIRSTHDR(&m))
		die("recvmsg");
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof fd);
	return fd;
}

/* Two programs that share nothing but a path: one takes the sockets of the other. */
static void by_path(char *self)
{
	printf("-- another program\n");
	struct sockaddr_un path = {.sun_family = AF_UNIX};
	snprintf(path.sun_path, sizeof path.sun_path, "/tmp/netcon-scm-%d-%d", family, getpid());
	int meet = socket(AF_UNIX, SOCK_STREAM, 0);
	CALL(bind(meet, (struct sockaddr *)&path, sizeof path));
	CALL(listen(meet, 1));
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		for (int fd = 3; fd < 1024; fd++)
			close(fd);
		execl(self, self, family == AF_INET6 ? "6" : "4", "taker", path.sun_path, NULL);
		_exit(127);
	}
	int over = accept(meet, NULL, NULL), c, s;
	char b[8];
	pair(&c, &s);
	pass(over, s);
	close(s);
	CALL(write(c, "hello", 5));
	CALL(read_all(c, b, 5));
	CALL(read(c, b, 1));
	Addr at;
	int l = listener(4, &at);
	pass(over, l);
	close(l);
	int again = client(&at);
	CALL(read_all(again, b, 5));
	reap(pid, "taker");
	close(c), close(again), close(over), close(meet);
	unlink(path.sun_path);
}

static int taker(const char *path)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	snprintf(to.sun_path, sizeof to.sun_path, "%s", path);
	int over = socket(AF_UNIX, SOCK_STREAM, 0);
	char b[8];
	if (connect(over, (struct sockaddr *)&to, sizeof to) < 0)
		die("connect");
	int s = take(over);
	if (read_all(s, b, 5) != 5 || write_all(s, b, 5) != 5)
		die("the connected socket");
	close(s);
	int l = take(over);
	s = accepted(l);
	if (write_all(s, "taken", 5) != 5)
		die("the accepted socket");
	return 0;
}

int main(int argc, char **argv)
{
	start(argc, argv);
	if (argc > 3)
		return taker(argv[3]);
	int over[2];
	char b[8];
	CALL(socketpair(AF_UNIX, SOCK_STREAM, 0, over));
	/* The receiver is forked before any socket exists. */
	pid_t pid = fork();
	if (pid == 0) {
		close(over[0]);
		printf("-- a connected socket\n");
		int c = take(over[1]);
		Addr peer = peer_of(c), name = name_of(c);
		label_port(port_of(&peer), "L");
		label_port(port_of(&name), "C");
		show_name("taken", c);
		show_peer("taken", c);
		printf("SO_DOMAIN is the family: %d\n", int_option(c, SOL_SOCKET, SO_DOMAIN) == family);
		CALL(write(c, "taken", 5));
		CALL(read_all(c, b, 5));
		CALL(shutdown(c, SHUT_WR));
		CALL(read(c, b, 1));
		close(c);
		printf("-- an accepted socket\n");
		int s = take(over[1]);
		name = name_of(s), peer = peer_of(s);
		label_port(port_of(&name), "L");
		label_port(port_of(&peer), "C");
		show_name("taken", s);
		show_peer("taken", s);
		CALL(write(s, "taken", 5));
		close(s);
		printf("-- a listening socket\n");
		int l = take(over[1]);
		name = name_of(l);
		label_port(port_of(&name), "L");
		show_name("taken", l);
		CALL(int_option(l, SOL_SOCKET, SO_ACCEPTCONN));
		s = accepted(l);
		CALL(read_all(s, b, 5));
		CALL(write(s, b, 5));
		close(s), close(l);
		printf("-- an unconnected socket\n");
		c = take(over[1]);
		l = take(over[1]);
		Addr at = name_of(l);
		label_port(port_of(&at), "L");
		CALL(connect(c, &at.sa, addr_len(&at)));
		show_peer("taken", c);
		s = accepted(l);
		show_works("pair", c, s);
		_exit(0);
	}
	close(over[1]);
	int c, s;
	pair(&c, &s);
	pass(over[0], c);
	close(c);
	read_all(s, b, 5);
	write(s, "reply", 5);
	read(s, b, 1);
	close(s);
	pair(&c, &s);
	pass(over[0], s);
	close(s);
	read_all(c, b, 6);
	close(c);
	Addr at;
	int l = listener(4, &at);
	pass(over[0], l);
	close(l);
	c = client(&at);
	write(c, "hello", 5);
	read_all(c, b, 6);
	close(c);
	c = tcp(0);
	l = listener(4, &at);
	pass(over[0], c);
	pass(over[0], l);
	reap(pid, "receiver");
	by_path(argv[0]);
	return 0;
}
