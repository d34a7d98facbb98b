/* The small tools of `pnpm bench`, plain POSIX sockets.
 *
 *   latbench server PORT                        echo server: epoll, one thread
 *   latbench pingpong HOST PORT SECONDS SIZE    SIZE bytes there and back on one connection
 *   latbench openloop HOST PORT SECONDS RATE    64 bytes there and back on one connection, RATE requests a second, whether or
 *                                               not the ones before were answered; timed from when each was due
 *   latbench connections HOST PORT SECONDS      connect, 64 bytes there and back, the server closes; one after the other
 *
 * The server echoes what it reads and closes after a message that begins with 'C', so that TIME-WAIT stays on its side.
 * The clients print one line of JSON. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SAMPLES = 4000000, MESSAGE = 64, WARM_UP = 200, MOST = 65536 };

static uint64_t nanoseconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static struct sockaddr_in address(const char *host, const char *port)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };
    if (inet_pton(AF_INET, host, &a.sin_addr) != 1) {
        fprintf(stderr, "%s: not an IPv4 address\n", host);
        exit(2);
    }
    return a;
}

static void no_delay(int fd)
{
    int one = 1;
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one))
        die("TCP_NODELAY");
}

static int dial(const struct sockaddr_in *to)
{
    struct timeval limit = { 10, 0 };
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (connect(fd, (const struct sockaddr *)to, sizeof *to)) {
        int e = errno;
        close(fd);
        errno = e;
        return -1;
    }
    no_delay(fd);
    return fd;
}

static int exchange(int fd, char *buffer, size_t size)
{
    if (write(fd, buffer, size) != (ssize_t)size)
        return -1;
    for (size_t got = 0; got < size;) {
        ssize_t n = read(fd, buffer + got, size - got);
        if (n <= 0)
            return -1;
        got += (size_t)n;
    }
    return 0;
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static void report(uint32_t *samples, size_t n, uint64_t elapsed, unsigned errors)
{
    qsort(samples, n, sizeof *samples, compare);
    printf("{\"count\":%zu,\"perSecond\":%.1f,\"p50Us\":%.2f,\"p99Us\":%.2f,\"p999Us\":%.2f,\"errors\":%u}\n", n,
           (double)n * 1e9 / (double)elapsed, n ? samples[n / 2] / 1e3 : 0.0, n ? samples[n * 99 / 100] / 1e3 : 0.0,
           n ? samples[n * 999 / 1000] / 1e3 : 0.0, errors);
}

static int pingpong(const struct sockaddr_in *to, double limit, size_t size)
{
    static char buffer[MOST];
    uint32_t *samples = malloc(SAMPLES * sizeof *samples);
    int fd = dial(to);
    if (fd < 0 || !samples)
        die("connect");
    memset(buffer, 'P', size);
    for (int i = 0; i < WARM_UP; i++)
        if (exchange(fd, buffer, size))
            die("exchange");
    uint64_t start = nanoseconds(), last = start;
    size_t n = 0;
    while ((double)(last - start) < limit * 1e9 && n < SAMPLES) {
        if (exchange(fd, buffer, size))
            die("exchange");
        uint64_t now = nanoseconds();
        samples[n++] = (uint32_t)(now - last);
        last = now;
    }
    report(samples, n, last - start, 0);
    return 0;
}

/* Request i is due at start + i / rate. What could not be sent in time is late, and counts as such. */
static int openloop(const struct sockaddr_in *to, double limit, double rate)
{
    static char buffer[MOST];
    uint32_t *samples = malloc(SAMPLES * sizeof *samples);
    int fd = dial(to);
    if (fd < 0 || !samples)
        die("connect");
    memset(buffer, 'P', sizeof buffer);
    for (int i = 0; i < WARM_UP; i++)
        if (exchange(fd, buffer, MESSAGE))
            die("exchange");
    (void)prctl(PR_SET_TIMERSLACK, 1UL); /* Where the kernel has no such thing, as in gVisor, 50 us of slack remain. */
    const double gap = 1e9 / rate;
    const size_t total = (size_t)(limit * rate);
    size_t wanted = 0, sent = 0, got = 0; /* octets */
    size_t answered = 0;
    const uint64_t start = nanoseconds();
    uint64_t now = start;
    while (answered < total) {
        size_t due = (size_t)((double)(now - start) / gap) + 1;
        wanted = (due < total ? due : total) * MESSAGE;
        if (sent < wanted) {
            size_t most = wanted - sent < sizeof buffer ? wanted - sent : sizeof buffer;
            ssize_t n = send(fd, buffer, most, MSG_DONTWAIT | MSG_NOSIGNAL);
            if (n < 0 && errno != EAGAIN)
                die("send");
            sent += n > 0 ? (size_t)n : 0;
        }
        struct pollfd p = { .fd = fd, .events = (short)(POLLIN | (sent < wanted ? POLLOUT : 0)) };
        struct timespec wait = { 10, 0 };
        now = nanoseconds();
        if (wanted < total * MESSAGE) {
            uint64_t next = start + (uint64_t)((double)due * gap);
            uint64_t left = next > now ? next - now : 0;
            wait = (struct timespec){ (time_t)(left / 1000000000u), (long)(left % 1000000000u) };
        }
        int ready = ppoll(&p, 1, &wait, 0);
        now = nanoseconds();
        if (ready == 0 && wanted == total * MESSAGE) {
            fputs("no answer in 10 s\n", stderr);
            return 1;
        }
        if (!(p.revents & (POLLIN | POLLHUP | POLLERR)))
            continue;
        ssize_t n = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN))
            die("recv");
        now = nanoseconds();
        got += n > 0 ? (size_t)n : 0;
        for (; answered < got / MESSAGE; answered++)
            samples[answered] = (uint32_t)(now - start - (uint64_t)((double)answered * gap));
    }
    report(samples, answered, now - start, 0);
    return 0;
}

static int connections(const struct sockaddr_in *to, double limit)
{
    char buffer[MESSAGE], end;
    uint32_t *samples = malloc(SAMPLES * sizeof *samples);
    if (!samples)
        die("malloc");
    uint64_t start = nanoseconds(), last = start;
    size_t n = 0;
    unsigned errors = 0;
    while ((double)(last - start) < limit * 1e9 && n < SAMPLES && errors < 100) {
        memset(buffer, 'C', sizeof buffer);
        int fd = dial(to);
        int ok = fd >= 0 && !exchange(fd, buffer, sizeof buffer) && read(fd, &end, 1) == 0;
        if (!ok && !errors++)
            perror("first failed connection");
        if (fd >= 0)
            close(fd);
        uint64_t now = nanoseconds();
        if (ok)
            samples[n++] = (uint32_t)(now - last);
        last = now;
    }
    report(samples, n, last - start, errors);
    return 0;
}

static void accept_all(int epoll, int listener)
{
    for (;;) {
        int fd = accept4(listener, 0, 0, SOCK_NONBLOCK);
        if (fd < 0)
            return;
        no_delay(fd);
        struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
            die("epoll_ctl");
    }
}

static void echo(int fd)
{
    static char buffer[MOST];
    ssize_t n = read(fd, buffer, sizeof buffer);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0 || write(fd, buffer, (size_t)n) != n || buffer[0] == 'C')
        close(fd);
}

__attribute__((noreturn)) static void server(const char *port)
{
    struct sockaddr_in any = address("0.0.0.0", port);
    int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), epoll = epoll_create1(0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&any, sizeof any) || listen(listener, 4096))
        die("listen");
    struct epoll_event event = { .events = EPOLLIN, .data.fd = listener }, ready[256];
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event))
        die("epoll_ctl");
    for (;;) {
        int n = epoll_wait(epoll, ready, 256, -1);
        for (int i = 0; i < n; i++)
            if (ready[i].data.fd == listener)
                accept_all(epoll, listener);
            else
                echo(ready[i].data.fd);
    }
}

int main(int argc, char **argv)
{
    if (argc == 3 && !strcmp(argv[1], "server"))
        server(argv[2]);
    if (argc == 6 && !strcmp(argv[1], "pingpong")) {
        struct sockaddr_in to = address(argv[2], argv[3]);
        long size = atol(argv[5]);
        if (size > 0 && size <= MOST)
            return pingpong(&to, atof(argv[4]), (size_t)size);
    }
    if (argc == 6 && !strcmp(argv[1], "openloop")) {
        struct sockaddr_in to = address(argv[2], argv[3]);
        double seconds = atof(argv[4]), rate = atof(argv[5]);
        if (seconds > 0 && rate > 0 && seconds * rate >= 1 && seconds * rate <= SAMPLES)
            return openloop(&to, seconds, rate);
    }
    if (argc == 5 && !strcmp(argv[1], "connections")) {
        struct sockaddr_in to = address(argv[2], argv[3]);
        return connections(&to, atof(argv[4]));
    }
    fputs("usage: latbench server PORT | pingpong HOST PORT SECONDS SIZE | openloop HOST PORT SECONDS RATE |"
          " connections HOST PORT SECONDS\n",
          stderr);
    return 2;
}
