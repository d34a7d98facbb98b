/* The flags of accept4(2), in each way to call it; what accept(2) and the listener's own flags leave out. */
#include "d.h"

static const struct {
	int flags;
	const char *text;
} FLAGS[] = {
	{0, "0"},
	{SOCK_NONBLOCK, "SOCK_NONBLOCK"},
	{SOCK_CLOEXEC, "SOCK_CLOEXEC"},
	{SOCK_NONBLOCK | SOCK_CLOEXEC, "SOCK_NONBLOCK | SOCK_CLOEXEC"},
};

static void flags_of(const char *title, int fd)
{
	printf("%s: nonblock %d cloexec %d\n", title, !!(fcntl(fd, F_GETFL) & O_NONBLOCK), !!(fcntl(fd, F_GETFD) & FD_CLOEXEC));
	close(fd);
}

static void each(const char *title, int l, const Addr *at, int how)
{
	printf("-- %s\n", title);
	for (unsigned i = 0; i < sizeof FLAGS / sizeof *FLAGS; i++) {
		int c = client(at), s = -1;
		Addr from;
		socklen_t len = sizeof from;
		wait_for(l, POLLIN);
		if (how == 0)
			s = accept4(l, NULL, NULL, FLAGS[i].flags);
		else if (how == 1)
			s = accept4(l, (struct sockaddr *)&from, &len, FLAGS[i].flags);
		else
			s = syscall(SYS_accept4, l, NULL, NULL, FLAGS[i].flags);
		flags_of(FLAGS[i].text, s);
		close(c);
	}
}

int main(int argc, char **argv)
{
	start(argc, argv);
	Addr at;
	int l = listener(8, &at);
	each("accept4", l, &at, 0);
	each("accept4 with an address", l, &at, 1);
	each("syscall(SYS_accept4)", l, &at, 2);
	printf("-- other flags\n");
	int c = client(&at);
	wait_for(l, POLLIN);
	/* By syscall(2): musl's accept4 takes the connection all the same. */
	CALL(syscall(SYS_accept4, l, NULL, NULL, 1));
	CALL(syscall(SYS_accept4, l, NULL, NULL, SOCK_NONBLOCK | O_APPEND));
	printf("-- accept of a listener that has both flags\n");
	fcntl(l, F_SETFL, O_NONBLOCK);
	fcntl(l, F_SETFD, FD_CLOEXEC);
	flags_of("accept", accept(l, NULL, NULL));
	printf("-- nobody waits\n");
	CALL(accept(l, NULL, NULL));
	CALL(accept4(l, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
	CALL(syscall(SYS_accept4, l, NULL, NULL, 0));
	close(c);
	return 0;
}
