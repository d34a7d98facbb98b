/* hold HOST PORT NUMBER SECONDS [REQUESTS]: opens so many connections to an echo server, proves each by an octet there and
 * back, prints one line of JSON, and holds them idle until standard input closes. After SECONDS it stops opening. For each octet
 * on standard input it first makes REQUESTS requests of an octet, on the connections in turn, and prints another line. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    struct sockaddr_in to = { .sin_family = AF_INET };
    if ((argc != 5 && argc != 6) || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1) {
        fputs("usage: hold HOST PORT NUMBER SECONDS [REQUESTS]\n", stderr);
        return 2;
    }
    to.sin_port = htons((unsigned short)atoi(argv[2]));
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    const struct timeval limit = { 10, 0 };
    const time_t end = time(0) + atoi(argv[4]);
    int open = 0;
    int *fds = calloc((size_t)atoi(argv[3]) + 1, sizeof *fds);
    if (!fds)
        return 1;
    const char *why = "";
    for (char octet = 'H'; open < atoi(argv[3]); open++) {
        int fd = time(0) > end ? -1 : socket(AF_INET, SOCK_STREAM, 0);
        if (time(0) > end)
            errno = ETIME;
        if (fd >= 0)
            setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) || write(fd, &octet, 1) != 1 || read(fd, &octet, 1) != 1) {
            why = strerror(errno);
            break;
        }
        fds[open] = fd;
    }
    printf("{\"open\":%d,\"why\":\"%s\"}\n", open, why);
    fflush(stdout);
    char octet;
    while (read(0, &octet, 1) > 0) {
        const double from = seconds();
        const int requests = argc == 6 ? atoi(argv[5]) : 0;
        for (int i = 0; i < requests; i++) {
            int fd = fds[(unsigned)i * 7919u % (unsigned)open];
            if (write(fd, &octet, 1) != 1 || read(fd, &octet, 1) != 1) {
                perror("request");
                return 1;
            }
        }
        printf("{\"requests\":%d,\"us\":%.2f}\n", requests, (seconds() - from) * 1e6 / requests);
        fflush(stdout);
    }
    return 0;
}
