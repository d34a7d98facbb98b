/* Flags and forms of send and recv on a connected socket. */
#include "d.h"

static void receiving(void)
{
	int c, s;
	char b[64] = "";
	pair(&c, &s);
	printf("-- MSG_PEEK\n");
	CALL(write(c, "abcdef", 6));
	wait_bytes(s, 6);
	CALL(recv(s, b, 3, MSG_PEEK));
	CALL(recv(s, b, 64, MSG_PEEK));
	CALL(recv(s, b, 2, 0));
	printf("%.2s\n", b);
	CALL(recv(s, b, 64, MSG_PEEK | MSG_DONTWAIT));
	CALL(recv(s, b, 64, 0));
	printf("%.4s\n", b);
	printf("-- MSG_DONTWAIT\n");
	CALL(recv(s, b, 4, MSG_DONTWAIT));
	CALL(recv(s, b, 4, MSG_DONTWAIT | MSG_PEEK));
	CALL(recv(s, b, 0, MSG_DONTWAIT));
	printf("-- MSG_TRUNC discards\n");
	CALL(write(c, "0123456789", 10));
	wait_bytes(s, 10);
	memset(b, '.', 10);
	CALL(recv(s, b, 4, MSG_TRUNC));
	printf("untouched %d\n", b[0] == '.');
	CALL(recv(s, NULL, 3, MSG_TRUNC));
	CALL(recv(s, b, 64, 0));
	printf("%.3s\n", b);
	CALL(recv(s, NULL, 3, MSG_TRUNC | MSG_DONTWAIT));
	printf("-- MSG_WAITALL\n");
	pid_t pid = fork();
	if (pid == 0) {
		for (int i = 0; i < 5; i++) {
			write(c, "xy", 2);
			pause_ms(10);
		}
		_exit(0);
	}
	CALL(recv(s, b, 10, MSG_WAITALL));
	reap(pid, "writer");
	CALL(write(c, "abc", 3));
	shutdown(c, SHUT_WR);
	CALL(recv(s, b, 10, MSG_WAITALL));
	CALL(recv(s, b, 10, MSG_WAITALL));
	close(c), close(s);
}

/* Padding, where the libc has some, holds anything. */
static struct msghdr message(void *name, socklen_t name_len, struct iovec *v, int count, void *control, size_t control_len)
{
	struct msghdr m;
	memset(&m, 0xff, sizeof m);
	m.msg_name = name, m.msg_namelen = name_len;
	m.msg_iov = v, m.msg_iovlen = count;
	m.msg_control = control, m.msg_controllen = control_len;
	m.msg_flags = 0;
	return m;
}

static void names(void)
{
	printf("-- names in recvfrom and recvmsg\n");
	int c, s;
	char b[16];
	Addr a;
	pair(&c, &s);
	CALL(write(c, "abcdefgh", 8));
	wait_bytes(s, 8);
	socklen_t len = sizeof a;
	memset(&a, 0xee, sizeof a);
	CALL(recvfrom(s, b, 2, 0, &a.sa, &len));
	printf("len %u untouched %d\n", len, a.sa.sa_family == 0xeeee);
	CALL(recvfrom(s, b, 2, 0, NULL, NULL));
	struct iovec v[2] = {{b, 1}, {b + 1, 1}};
	char control[64];
	struct msghdr m = message(&a, sizeof a, v, 2, control, sizeof control);
	CALL(recvmsg(s, &m, 0));
	printf("name len %u control len %zu flags %d\n", m.msg_namelen, (size_t)m.msg_controllen, m.msg_flags);
	struct mmsghdr mm[2] = {{.msg_hdr = message(&a, sizeof a, v, 1, NULL, 0)}, {.msg_hdr = message(&a, sizeof a, v + 1, 1, NULL, 0)}};
	CALL(recvmmsg(s, mm, 2, MSG_DONTWAIT, NULL));
	printf("lengths %u %u\n", mm[0].msg_len, mm[1].msg_len);
	CALL(recvmsg(s, &m, MSG_DONTWAIT));
	close(c), close(s);
	printf("-- and on the connecting side\n");
	pair(&c, &s);
	CALL(write(s, "abcd", 4));
	wait_bytes(c, 4);
	len = sizeof a;
	CALL(recvfrom(c, b, 2, 0, &a.sa, &len));
	printf("len %u\n", len);
	m = message(&a, sizeof a, v, 2, NULL, 0);
	CALL(recvmsg(c, &m, 0));
	printf("name len %u\n", m.msg_namelen);
	close(c), close(s);
}

static void sending(void)
{
	printf("-- sendto, sendmsg with an address\n");
	int c, s;
	char b[64];
	pair(&c, &s);
	Addr other = loopback(9);
	CALL(sendto(c, "ab", 2, 0, &other.sa, addr_len(&other)));
	struct iovec v[2] = {{"cd", 2}, {"ef", 2}};
	struct msghdr m = message(&other, addr_len(&other), v, 2, NULL, 0);
	CALL(sendmsg(c, &m, 0));
	CALL(sendto(c, "gh", 2, 0, &other.sa, 3));
	CALL(sendto(c, "ij", 2, MSG_NOSIGNAL, NULL, 0));
	CALL(sendto(c, "kl", 2, 0, NULL, 16));
	struct mmsghdr mm[2] = {{.msg_hdr = message(NULL, 0, v, 1, NULL, 0)}, {.msg_hdr = message(NULL, 0, v + 1, 1, NULL, 0)}};
	CALL(sendmmsg(c, mm, 2, 0));
	CALL(send(c, "mn", 2, MSG_MORE));
	CALL(send(c, "op", 2, MSG_DONTWAIT));
	CALL(send(c, "", 0, 0));
	CALL(write(c, "", 0));
	shutdown(c, SHUT_WR);
	long n = read_all(s, b, 64);
	printf("%.*s\n", (int)n, b);
	close(c), close(s);
	printf("-- vectors and files\n");
	pair(&c, &s);
	struct iovec many[5] = {{"a", 1}, {"", 0}, {"bc", 2}, {"def", 3}, {"", 0}};
	CALL(writev(c, many, 5));
	struct iovec in[3] = {{b, 2}, {b + 2, 2}, {b + 4, 2}};
	wait_bytes(s, 6);
	CALL(readv(s, in, 3));
	printf("%.6s\n", b);
	CALL(send(c, (void *)1, 4, 0));
	CALL(writev(c, many, -1));
	CALL(pread(c, b, 1, 0));
	CALL(pwrite(c, b, 1, 0));
	close(c), close(s);
}

static void file_to_socket(void)
{
	printf("-- sendfile, splice\n");
	int c, s;
	pair(&c, &s);
	char path[] = "/tmp/netcon-differential-XXXXXX";
	int f = mkstemp(path);
	unlink(path);
	enum { SIZE = 200000 };
	static char out[SIZE], in[SIZE];
	for (int i = 0; i < SIZE; i++)
		out[i] = i * 7 >> 3;
	write_all(f, out, SIZE);
	pid_t pid = fork();
	if (pid == 0) {
		off_t at = 0;
		while (at < SIZE)
			if (syscall(SYS_sendfile, c, f, &at, SIZE - at) <= 0)
				_exit(1);
		_exit(0);
	}
	CALL(read_all(s, in, SIZE));
	printf("same %d\n", memcmp(in, out, SIZE) == 0);
	reap(pid, "sendfile");
	int ends[2];
	pipe(ends);
	CALL(write(s, "through a pipe", 14));
	wait_bytes(c, 14);
	CALL(splice(c, NULL, ends[1], NULL, 14, 0));
	CALL(read(ends[0], in, 64));
	CALL(write(ends[1], "and back", 8));
	CALL(splice(ends[0], NULL, c, NULL, 8, 0));
	CALL(read_all(s, in, 8));
	printf("%.8s\n", in);
	FILE *stream = fdopen(dup(c), "r+");
	fputs("by stdio\n", stream);
	fflush(stream);
	CALL(read_all(s, in, 9));
	CALL(write(s, "line\n", 5));
	printf("%s", fgets(in, 64, stream));
	fclose(stream);
	show_works("after fclose of a duplicate", c, s);
	close(c), close(s), close(f);
}

static void nothing_behind_the_end(void)
{
	int c, s;
	char b[4] = "";
	printf("-- a send of nothing, when the peer has closed\n");
	pair(&c, &s);
	close(s);
	CALL(recv(c, b, 4, 0));
	for (int i = 0; i < 3; i++)
		CALL(send(c, b, 0, 0));
	CALL(send(c, b, 1, 0));
	close(c);
}

int main(int argc, char **argv)
{
	start(argc, argv);
	receiving();
	nothing_behind_the_end();
	names();
	sending();
	file_to_socket();
	return 0;
}
