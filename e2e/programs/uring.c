/* The ways to set up a ring of io_uring, and what each gives: the error, or "a ring". */
#include <errno.h>
#include <liburing.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static void told(const char *how, int error)
{
	printf("%s: %s\n", how, error == 0 ? "a ring" : strerror(error));
}

int main(void)
{
	struct io_uring_params params = {0};
	int fd = syscall(SYS_io_uring_setup, 4, &params);
	told("syscall", fd < 0 ? errno : 0);
	params = (struct io_uring_params){0};
	fd = io_uring_setup(4, &params);
	told("io_uring_setup", fd < 0 ? -fd : 0);
	struct io_uring ring;
	told("io_uring_queue_init", -io_uring_queue_init(4, &ring, 0));
	params = (struct io_uring_params){0};
	told("io_uring_queue_init_params", -io_uring_queue_init_params(4, &ring, &params));
	return 0;
}
