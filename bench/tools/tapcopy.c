/* tapcopy NETNS TAP NETNS TAP: makes a TAP in each of two network namespaces (paths) and copies frames between them, super-frames
 * and unfinished checksums included: what a TAP costs without a TCP/IP stack behind it. Prints "ready". */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { BATCH = 64 };

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static int tap(const char *netns, const char *name)
{
    int space = open(netns, O_RDONLY | O_CLOEXEC);
    if (space < 0 || setns(space, CLONE_NEWNET))
        die(netns);
    close(space);
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
    struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
    snprintf(request.ifr_name, IFNAMSIZ, "%s", name);
    if (fd < 0 || ioctl(fd, TUNSETIFF, &request) || ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6))
        die("/dev/net/tun");
    return fd;
}

int main(int argc, char **argv)
{
    static char frame[128 * 1024];
    if (argc != 5) {
        fputs("usage: tapcopy NETNS TAP NETNS TAP\n", stderr);
        return 2;
    }
    struct pollfd taps[2] = { { tap(argv[1], argv[2]), POLLIN, 0 }, { tap(argv[3], argv[4]), POLLIN, 0 } };
    puts("ready");
    fflush(stdout);
    for (;;) {
        if (poll(taps, 2, -1) < 0)
            die("poll");
        for (int from = 0; from < 2; from++)
            for (int i = 0; i < BATCH && taps[from].revents & POLLIN; i++) {
                ssize_t n = read(taps[from].fd, frame, sizeof frame);
                if (n <= 0)
                    break;
                /* A TAP that is not up yet, or full, loses the frame as a wire would. */
                if (write(taps[!from].fd, frame, (size_t)n) < 0 && errno != EAGAIN && errno != EIO && errno != EINVAL)
                    die("write");
            }
    }
}
