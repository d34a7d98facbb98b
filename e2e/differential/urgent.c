/* Urgent data and SO_RCVLOWAT. What differs stands in known-differences.json. */
#include "d.h"

static void show_mark(int fd)
{
	int at = -1;
	int r = ioctl(fd, SIOCATMARK, &at);
	printf("SIOCATMARK %s: %d\n", outcome(r), at);
}

static void urgent(int in_line)
{
	printf("-- urgent data%s\n", in_line ? ", SO_OOBINLINE" : "");
	int c, s;
	char buf[8] = "";
	pair(&c, &s);
	if (in_line)
		set_int(s, SOL_SOCKET, SO_OOBINLINE, 1);
	CALL(recv(s, buf, 1, MSG_OOB | MSG_DONTWAIT));
	CALL(send(c, "ab", 2, 0));
	CALL(send(c, "!", 1, MSG_OOB));
	CALL(send(c, "cd", 2, 0));
	CALL(shutdown(c, SHUT_WR));
	wait_for(s, POLLRDHUP);
	printf("urgent: %d\n", (poll_now(s) & POLLPRI) != 0);
	CALL(recv(s, buf, 1, MSG_OOB | MSG_DONTWAIT));
	CALL(read(s, buf, 2));
	show_mark(s);
	long n = read_all(s, buf, sizeof buf - 1);
	printf("the rest: %.*s\n", (int)n, buf);
	close(c), close(s);
}

static void low_water(void)
{
	printf("-- SO_RCVLOWAT\n");
	int c, s;
	char buf[8] = "";
	pair(&c, &s);
	set_int(s, SOL_SOCKET, SO_RCVLOWAT, 4);
	CALL(write(c, "ab", 2));
	wait_bytes(s, 2);
	printf("poll: %s\n", events_text(poll_now(s)));
	CALL(write(c, "cd", 2));
	SHOW_EVENTS(s, POLLIN);
	CALL(recv(s, buf, 8, 0));
	CALL(write(c, "e", 1));
	CALL(shutdown(c, SHUT_WR));
	SHOW_EVENTS(s, POLLIN | POLLRDHUP);
	CALL(recv(s, buf, 8, 0));
	close(c), close(s);
}

int main(int argc, char **argv)
{
	start(argc, argv);
	urgent(0);
	urgent(1);
	low_water();
	return 0;
}
