/* Many connections at once, each with a transfer both ways at the same time, all hashed. */
#include "transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char USAGE[] =
    "usage: multitransfer [OPTIONS]                a server and its clients in this one process\n"
    "       multitransfer [OPTIONS] --serve        the server only\n"
    "       multitransfer [OPTIONS] --connect HOST the clients only\n"
    "\n"
    "Opens N connections at once; each carries a transfer in both directions at the same time. Every\n"
    "receiver checks the SHA-256 of what it got and that the end comes where it was announced.\n"
    "  --address ADDR    where the server listens, and the clients of one process connect (127.0.0.1)\n"
    "  --port PORT       its port (5001)\n"
    "  --connections N   connections at once (32), up to 10000\n"
    "  --rounds N        how often, one after the other (1)\n"
    "  --size SIZE       bytes each way, with k, M or G (1M); every connection a few more than the last\n"
    "  --timeout SECONDS give up after this long (120)\n"
    "Exit status: 0 if every hash is right, 1 if not or if a transfer failed, 2 for wrong arguments.\n"
    "Example: netcon intercept ./multitransfer --connections 100\n";

static const char *address = "127.0.0.1", *port = "5001";
static uint64_t connections = 32, rounds = 1, size = 1 << 20;
static atomic_ullong transfers, bytes, mismatches, errors;

struct duplex {
    int fd;
    struct sender tx;
    struct receiver rx;
};

static void count_failure(const char *what)
{
    if (errno == EBADMSG) {
        mismatches++;
        fprintf(stderr, "multitransfer: %s: MISMATCH\n", what);
    } else {
        errors++;
        fprintf(stderr, "multitransfer: %s: %m\n", what);
    }
}

/* Drives both directions of a non-blocking socket until both have ended. */
static void run(struct duplex *d)
{
    int sending = 1, receiving = 1;
    while (sending || receiving) {
        struct pollfd p = { d->fd, (short)((sending ? POLLOUT : 0) | (receiving ? POLLIN : 0)), 0 };
        if (poll(&p, 1, -1) < 0 && errno != EINTR)
            return count_failure("poll");
        if (sending && p.revents & (POLLOUT | POLLERR | POLLHUP)) {
            enum step step = sender_step(&d->tx, d->fd);
            if (step == STEP_FAILED)
                return count_failure("send");
            if (step == STEP_DONE) {
                if (shutdown(d->fd, SHUT_WR))
                    return count_failure("shutdown");
                sending = 0;
            }
        }
        if (receiving && p.revents & (POLLIN | POLLERR | POLLHUP)) {
            enum step step = receiver_step(&d->rx, d->fd);
            if (step == STEP_FAILED)
                return count_failure("receive");
            if (step == STEP_DONE) {
                receiving = 0;
                transfers++;
                bytes += d->rx.got;
            }
        }
    }
}

static void *worker(void *arg)
{
    struct duplex *d = arg;
    run(d);
    close(d->fd);
    free(d);
    return 0;
}

static pthread_t start(int fd, uint64_t number)
{
    struct duplex *d = malloc(sizeof *d);
    pthread_attr_t attr;
    pthread_t thread;
    if (!d)
        fail("out of memory");
    d->fd = fd;
    /* Odd sizes: nothing ends on a boundary. */
    sender_init(&d->tx, size + number * 13, number);
    receiver_init(&d->rx);
    if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK))
        fail("fcntl: %m");
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 128 * 1024);
    int e = pthread_create(&thread, &attr, worker, d);
    if (e)
        fail("pthread_create: %s", strerror(e));
    pthread_attr_destroy(&attr);
    return thread;
}

static void join_all(pthread_t *threads, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        pthread_join(threads[i], 0);
}

static pthread_t *room(void)
{
    pthread_t *threads = calloc(connections, sizeof *threads);
    if (!threads)
        fail("out of memory");
    return threads;
}

static void *serve(void *listener)
{
    pthread_t *threads = room();
    for (uint64_t round = 0; round < rounds; round++) {
        for (uint64_t i = 0; i < connections; i++) {
            int fd = accept(*(int *)listener, 0, 0);
            if (fd < 0)
                fail("accept: %m");
            threads[i] = start(fd, (round * connections + i) * 2);
        }
        join_all(threads, connections);
    }
    free(threads);
    return 0;
}

static void connect_all(const char *host)
{
    pthread_t *threads = room();
    for (uint64_t round = 0; round < rounds; round++) {
        for (uint64_t i = 0; i < connections; i++)
            threads[i] = start(connect_to(host, port), (round * connections + i) * 2 + 1);
        join_all(threads, connections);
    }
    free(threads);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "address", 1, 0, 'a' }, { "port", 1, 0, 'p' },    { "connections", 1, 0, 'n' }, { "rounds", 1, 0, 'r' },
        { "size", 1, 0, 's' },    { "timeout", 1, 0, 't' }, { "serve", 0, 0, 'S' },       { "connect", 1, 0, 'C' },
        { "help", 0, 0, 'h' },    { 0 },
    };
    const char *host = 0;
    int server = 0;
    uint64_t timeout = 120;
    for (int o; (o = getopt_long(argc, argv, "", options, 0)) != -1;) {
        switch (o) {
        case 'a': address = optarg; break;
        case 'p': port = optarg; break;
        case 'n': connections = parse_size(optarg); break;
        case 'r': rounds = parse_size(optarg); break;
        case 's': size = parse_size(optarg); break;
        case 't': timeout = parse_size(optarg); break;
        case 'S': server = 1; break;
        case 'C': host = optarg; break;
        case 'h': fputs(USAGE, stdout); return 0;
        default: fputs(USAGE, stderr); return 2;
        }
    }
    if (optind != argc || (server && host) || connections < 1 || connections > 10000 || rounds < 1)
        return fputs(USAGE, stderr), 2;
    if (!sha256_works())
        fail("SHA-256 was built wrong");
    /* SIGALRM ends the process: a transfer that hangs must not look like one that runs. */
    alarm((unsigned)timeout);
    double begin = seconds();
    int listener = -1;
    if (!host) {
        listener = listen_on(address, port, 1024);
        print_end("listening at", listener, getsockname);
        puts("");
        fflush(stdout);
    }
    if (server)
        serve(&listener);
    else if (host)
        connect_all(host);
    else {
        pthread_t thread;
        int e = pthread_create(&thread, 0, serve, &listener);
        if (e)
            fail("pthread_create: %s", strerror(e));
        connect_all(address);
        pthread_join(thread, 0);
    }
    double took = seconds() - begin;
    printf("%llu connections, %llu transfers received, %.1f MiB in %.3f s, %llu mismatches, %llu errors\n",
           (unsigned long long)(connections * rounds), transfers, (double)bytes / (1 << 20), took, mismatches, errors);
    uint64_t want = connections * rounds * (server || host ? 1 : 2);
    return mismatches || errors || transfers != want;
}
