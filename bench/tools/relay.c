/* A path with a delay, a rate, a bounded queue and losses, between two taps in two network namespaces: what netem would do.
 *
 *     relay NS-A TAP-A NS-B TAP-B delay_us=5000 rate_mbit=500 queue_us=5000 loss=0.01 burst=1 reorder=0 direction=ab seed=1
 *
 * The faults and the rate are in the direction of the data; the other way frames pass as they come. burst is the mean
 * number of frames lost in a row, loss the share of all that is lost. Prints "ready", and totals at SIGTERM. */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { FRAME = 2048, SLOTS = 1 << 15 };

struct slot {
	int64_t due;
	uint16_t len;
	unsigned char frame[FRAME];
};

static struct slot *heap[SLOTS], pool[SLOTS], *spare[SLOTS];
static int waiting, spares;
static volatile sig_atomic_t ended;
static uint64_t state = 1;

static void end(int signal)
{
	(void)signal;
	ended = 1;
}

static double draw(void)
{
	state += 0x9e3779b97f4a7c15;
	uint64_t z = state;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return (double)((z ^ z >> 31) >> 11) / 9007199254740992.0;
}

static int64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void push(struct slot *s)
{
	int at = waiting++;
	for (; at > 0 && heap[(at - 1) / 2]->due > s->due; at = (at - 1) / 2)
		heap[at] = heap[(at - 1) / 2];
	heap[at] = s;
}

static struct slot *pop(void)
{
	struct slot *first = heap[0], *last = heap[--waiting];
	int at = 0;
	for (int child; (child = 2 * at + 1) < waiting; at = child) {
		if (child + 1 < waiting && heap[child + 1]->due < heap[child]->due)
			child++;
		if (heap[child]->due >= last->due)
			break;
		heap[at] = heap[child];
	}
	heap[at] = last;
	return first;
}

static int tap(const char *space, const char *name)
{
	char path[256];
	snprintf(path, sizeof path, "/run/netns/%s", space);
	int ns = open(path, O_RDONLY | O_CLOEXEC);
	if (ns < 0 || setns(ns, CLONE_NEWNET) < 0)
		err(1, "%s", path);
	close(ns);
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
	strncpy(request.ifr_name, name, IFNAMSIZ - 1);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0)
		err(1, "%s", name);
	return fd;
}

static double option(int argc, char **argv, const char *name, double value)
{
	size_t len = strlen(name);
	for (int i = 5; i < argc; i++)
		if (!strncmp(argv[i], name, len) && argv[i][len] == '=')
			value = atof(argv[i] + len + 1);
	return value;
}

int main(int argc, char **argv)
{
	if (argc < 5)
		errx(2, "usage: relay NS-A TAP-A NS-B TAP-B [name=value ...]");
	int fds[2] = {tap(argv[1], argv[2]), tap(argv[3], argv[4])};
	int64_t delay = (int64_t)option(argc, argv, "delay_us", 0);
	double rate = option(argc, argv, "rate_mbit", 0) / 8; /* octets a microsecond */
	int64_t queue = (int64_t)option(argc, argv, "queue_us", 1e9);
	double loss = option(argc, argv, "loss", 0), burst = option(argc, argv, "burst", 1);
	double reorder = option(argc, argv, "reorder", 0);
	int from = option(argc, argv, "backwards", 0) != 0;
	state = (uint64_t)option(argc, argv, "seed", 1);
	signal(SIGTERM, end);
	signal(SIGINT, end);
	for (; spares < SLOTS; spares++)
		spare[spares] = &pool[spares];
	puts("ready");
	fflush(stdout);
	double busy = 0;
	int bad = 0;
	long passed = 0, lost = 0, full = 0;
	while (!ended) {
		int64_t t = now();
		for (int n = 0; n < 64 && spares > 0; n++) {
			struct slot *s = spare[spares - 1];
			ssize_t len = read(fds[from], s->frame, FRAME);
			if (len <= 0)
				break;
			/* Gilbert: a burst begins so often that the share is right. */
			bad = bad ? draw() >= 1 / burst : draw() < loss / (burst * (1 - loss));
			if (loss > 0 && bad) {
				lost++;
				continue;
			}
			if (busy < (double)t)
				busy = (double)t;
			if (rate > 0 && busy - (double)t > (double)queue) {
				full++;
				continue;
			}
			busy += rate > 0 ? (double)len / rate : 0;
			s->len = (uint16_t)len;
			s->due = (int64_t)busy + delay + (draw() < reorder ? 1000 + (int64_t)(draw() * 2000) : 0);
			spares--;
			push(s);
		}
		for (int n = 0; n < 64; n++) {
			unsigned char frame[FRAME];
			ssize_t len = read(fds[!from], frame, sizeof frame);
			if (len <= 0 || write(fds[from], frame, (size_t)len) < 0)
				break;
		}
		t = now();
		while (waiting > 0 && heap[0]->due <= t) {
			struct slot *s = pop();
			passed += write(fds[!from], s->frame, s->len) > 0;
			spare[spares++] = s;
		}
		struct pollfd p[2] = {{fds[0], POLLIN, 0}, {fds[1], POLLIN, 0}};
		int64_t wait = waiting > 0 ? heap[0]->due - now() : 20000;
		struct timespec left = {0, wait > 0 ? wait * 1000 : 0};
		if (spares == 0)
			p[from].events = 0;
		ppoll(p, 2, &left, NULL);
	}
	printf("passed %ld lost %ld full %ld\n", passed, lost, full);
	return 0;
}
