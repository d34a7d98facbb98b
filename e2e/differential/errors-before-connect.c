/* What each call says on a socket that is not connected, is listening, or is no socket. */
#include "d.h"

static void each_call(int fd)
{
	char b[8] = "abcdefg";
	struct iovec v = {b, 4};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
	Addr a;
	socklen_t len = sizeof a;
	CALL(read(fd, b, 4));
	CALL(readv(fd, &v, 1));
	CALL(recv(fd, b, 4, 0));
	CALL(recv(fd, b, 4, MSG_DONTWAIT));
	CALL(recv(fd, b, 4, MSG_PEEK));
	CALL(recvfrom(fd, b, 4, 0, &a.sa, &len));
	CALL(recvmsg(fd, &m, 0));
	CALL(write(fd, b, 4));
	CALL(writev(fd, &v, 1));
	CALL(send(fd, b, 4, 0));
	CALL(send(fd, b, 4, MSG_NOSIGNAL));
	m = (struct msghdr){.msg_iov = &v, .msg_iovlen = 1};
	CALL(sendmsg(fd, &m, MSG_NOSIGNAL));
	a = loopback(9);
	CALL(sendto(fd, b, 4, MSG_NOSIGNAL, &a.sa, addr_len(&a)));
	CALL(accept(fd, NULL, NULL));
	CALL(getpeername(fd, &a.sa, &len));
	printf("events %s\n", events_text(poll_now(fd)));
	CALL(shutdown(fd, SHUT_RDWR));
	CALL(int_option(fd, SOL_SOCKET, SO_ERROR));
}

static void sigpipe_of(const char *what, int how)
{
	pid_t pid = fork();
	if (pid == 0) {
		signal(SIGPIPE, SIG_DFL);
		int fd = tcp(0);
		if (how == 0)
			write(fd, "x", 1);
		else
			send(fd, "x", 1, MSG_NOSIGNAL);
		_exit(7);
	}
	reap(pid, what);
}

int main(int argc, char **argv)
{
	start(argc, argv);
	printf("-- a new socket\n");
	int fd = tcp(0);
	each_call(fd);
	close(fd);
	printf("-- bound\n");
	fd = tcp(0);
	Addr a = loopback(0);
	bind(fd, &a.sa, addr_len(&a));
	each_call(fd);
	close(fd);
	printf("-- listening\n");
	fd = listener(4, &a);
	nonblocking(fd, 1);
	char b[4];
	struct iovec v = {b, 4};
	CALL(read(fd, b, 4));
	CALL(recv(fd, b, 4, 0));
	CALL(readv(fd, &v, 1));
	CALL(write(fd, b, 4));
	CALL(send(fd, b, 4, MSG_NOSIGNAL));
	CALL(accept(fd, NULL, NULL));
	printf("events %s\n", events_text(poll_now(fd)));
	close(fd);
	printf("-- closed\n");
	each_call(fd);
	printf("-- a pipe\n");
	int ends[2];
	pipe(ends);
	CALL(recv(ends[0], b, 4, 0));
	CALL(send(ends[1], b, 4, 0));
	CALL(listen(ends[0], 1));
	CALL(int_option(ends[0], SOL_SOCKET, SO_TYPE));
	printf("-- SIGPIPE\n");
	sigpipe_of("write to a new socket", 0);
	sigpipe_of("send with MSG_NOSIGNAL", 1);
	printf("-- a new socket, non-blocking\n");
	fd = tcp(SOCK_NONBLOCK);
	CALL(read(fd, b, 4));
	CALL(write(fd, b, 4));
	close(fd);
	printf("-- bad pointers\n");
	fd = tcp(0);
	CALL(connect(fd, (struct sockaddr *)1, addr_len(&a)));
	CALL(bind(fd, (struct sockaddr *)1, addr_len(&a)));
	CALL(getsockname(fd, (struct sockaddr *)1, &(socklen_t){16}));
	CALL(getsockname(fd, &a.sa, NULL));
	CALL(getsockopt(fd, SOL_SOCKET, SO_TYPE, (void *)1, &(socklen_t){4}));
	CALL(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, (void *)1, &(socklen_t){4}));
	CALL(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, (void *)1, 4));
	CALL(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, (void *)1, 4));
	close(fd);
	printf("-- AF_UNSPEC undoes nothing\n");
	fd = tcp(0);
	Addr none = {.sa.sa_family = AF_UNSPEC};
	CALL(connect(fd, &none.sa, sizeof none.v4));
	close(fd);
	return 0;
}
