/* The same calls by syscall(2), as node, nginx and Java make some of them. */
#include "d.h"
#include <sys/mman.h>

/* mmap(2) has six arguments, and a result that does not fit an int. */
static void six_arguments(void)
{
	long page = sysconf(_SC_PAGESIZE);
	FILE *f = tmpfile();
	for (int i = 0; i < 2; i++)
		for (long k = 0; k < page; k++)
			fputc(i ? 'b' : 'a', f);
	fflush(f);
	long at = syscall(SYS_mmap, NULL, page, PROT_READ, MAP_PRIVATE, fileno(f), page);
	printf("six arguments: %s\n", at != -1 && *(char *)at == 'b' ? "the page at the offset" : "something else");
	printf("a result above 2^32: %s\n", (unsigned long)at >> 32 ? "yes" : "no");
	CALL(syscall(SYS_munmap, at, page));
	fclose(f);
}

int main(int argc, char **argv)
{
	start(argc, argv);
	Addr a = loopback(0), from;
	socklen_t len = addr_len(&a);
	char b[16];
	int on = 1, value = 0;
	long l, c, s;
	FD(l = syscall(SYS_socket, family, SOCK_STREAM | SOCK_CLOEXEC, 0));
	CALL(fcntl(l, F_GETFD));
	CALL(syscall(SYS_setsockopt, l, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on));
	CALL(syscall(SYS_bind, l, &a, len));
	CALL(syscall(SYS_listen, l, 4));
	memset(&a, 0, sizeof a);
	CALL(syscall(SYS_getsockname, l, &a, &len));
	label_port(port_of(&a), "L");
	printf("%s len %u\n", addr_text(&a), len);
	FD(c = syscall(SYS_socket, family, SOCK_STREAM, 0));
	CALL(syscall(SYS_connect, c, &a, len));
	Addr name = name_of(c);
	label_port(port_of(&name), "C");
	len = sizeof from;
	memset(&from, 0, sizeof from);
	FD(s = syscall(SYS_accept4, l, &from, &len, SOCK_NONBLOCK));
	printf("%s len %u\n", addr_text(&from), len);
	CALL(fcntl(s, F_GETFL) & O_NONBLOCK ? 1 : 0);
	CALL(syscall(SYS_fcntl, s, F_SETFL, 0));
	len = sizeof from;
	CALL(syscall(SYS_getpeername, c, &from, &len));
	printf("%s len %u\n", addr_text(&from), len);
	len = sizeof value;
	CALL(syscall(SYS_getsockopt, c, SOL_SOCKET, SO_DOMAIN, &value, &len));
	printf("%d\n", value);
	CALL(syscall(SYS_getsockopt, c, IPPROTO_TCP, TCP_NODELAY, &value, &len));
	CALL(syscall(SYS_sendto, c, "hello", 5, 0, NULL, 0));
	len = sizeof from;
	CALL(syscall(SYS_recvfrom, s, b, 5, MSG_WAITALL, &from, &len));
	printf("len %u\n", len);
	long d;
	FD(d = syscall(SYS_dup, c));
	CALL(syscall(SYS_dup2, c, 90));
	CALL(syscall(SYS_dup3, c, 91, O_CLOEXEC));
	CALL(syscall(SYS_close, c));
	CALL(syscall(SYS_close, 90));
	CALL(syscall(SYS_close, 91));
	show_works("through the duplicate", d, s);
	CALL(syscall(SYS_shutdown, d, SHUT_WR));
	CALL(read(s, b, 1));
	CALL(syscall(SYS_close, d));
	CALL(syscall(SYS_close, d));
	CALL(syscall(SYS_close, s));
	FD(c = syscall(SYS_socket, family, SOCK_STREAM, 0));
	CALL(syscall(SYS_connect, c, &a, addr_len(&a)));
	FD(s = syscall(SYS_accept, l, NULL, NULL));
	struct iovec v = {"vector", 6};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
	CALL(syscall(SYS_sendmsg, c, &m, MSG_NOSIGNAL));
	v = (struct iovec){b, sizeof b};
	wait_bytes(s, 6);
	CALL(syscall(SYS_recvmsg, s, &m, 0));
	CALL(syscall(SYS_ioctl, s, FIONREAD, &value));
	CALL(syscall(SYS_socketpair, family, SOCK_STREAM, 0, &value));
	CALL(syscall(SYS_getpid) == getpid());
	CALL(syscall(SYS_socket, family, 77, 0));
	CALL(syscall(SYS_connect, -1, &a, addr_len(&a)));
	CALL(syscall(99999));
	six_arguments();
	return 0;
}
