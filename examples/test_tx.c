/* A server that sends: each client gets one transfer with its SHA-256. */
#include "transfer.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char USAGE[] =
    "usage: test_tx [--address ADDR] [--port PORT] [--size SIZE] [--count N]\n"
    "\n"
    "Listens and sends SIZE bytes and their SHA-256 to each client; test_rx is the client.\n"
    "  --address ADDR  local address to listen at (0.0.0.0; :: for IPv6)\n"
    "  --port PORT     local port (5000)\n"
    "  --size SIZE     bytes to send, with k, M or G (8M)\n"
    "  --count N       end after N clients (0: never)\n"
    "Exit status: 0, or 1 if a transfer failed, 2 for wrong arguments.\n"
    "Example: netcon intercept ./test_tx --size 64M, and then: netcon intercept ./test_rx 127.0.0.1\n";

static int serve(int fd, uint64_t size, uint64_t seed)
{
    static struct sender s;
    enum step step;
    print_end("client", fd, getpeername);
    double start = seconds();
    sender_init(&s, size, seed);
    while ((step = sender_step(&s, fd)) == STEP_AGAIN)
        ;
    if (step == STEP_FAILED) {
        printf(": failed: %m\n");
        return 1;
    }
    /* Half-close, and wait for the client's: then it has everything. */
    char c;
    if (shutdown(fd, SHUT_WR) || recv(fd, &c, 1, 0) != 0) {
        printf(": the client did not close properly: %m\n");
        return 1;
    }
    printf(": sent %llu bytes in %.3f s\n", (unsigned long long)size, seconds() - start);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "address", 1, 0, 'a' }, { "port", 1, 0, 'p' }, { "size", 1, 0, 's' },
        { "count", 1, 0, 'c' },   { "help", 0, 0, 'h' }, { 0 },
    };
    const char *address = "0.0.0.0", *port = "5000";
    uint64_t size = 8 << 20, count = 0, failed = 0;
    for (int o; (o = getopt_long(argc, argv, "", options, 0)) != -1;) {
        switch (o) {
        case 'a': address = optarg; break;
        case 'p': port = optarg; break;
        case 's': size = parse_size(optarg); break;
        case 'c': count = parse_size(optarg); break;
        case 'h': fputs(USAGE, stdout); return 0;
        default: fputs(USAGE, stderr); return 2;
        }
    }
    if (optind != argc)
        return fputs(USAGE, stderr), 2;
    setvbuf(stdout, 0, _IOLBF, 0);
    int listener = listen_on(address, port, 16);
    print_end("listening at", listener, getsockname);
    puts("");
    for (uint64_t n = 1; !count || n <= count; n++) {
        int fd = accept(listener, 0, 0);
        if (fd < 0)
            fail("accept: %m");
        failed += serve(fd, size, n) != 0;
        close(fd);
    }
    return failed != 0;
}
