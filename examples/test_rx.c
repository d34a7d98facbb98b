/* A client that receives: one transfer from test_tx, and its hash is checked. */
#include "transfer.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

static const char USAGE[] =
    "usage: test_rx [--port PORT] HOST\n"
    "\n"
    "Receives what test_tx at HOST sends and checks its SHA-256.\n"
    "  --port PORT     the server's port (5000)\n"
    "Exit status: 0 if the hash is right, 1 if not or if the transfer failed, 2 for wrong arguments.\n"
    "Example: netcon intercept ./test_rx 127.0.0.1\n";

int main(int argc, char **argv)
{
    static const struct option options[] = { { "port", 1, 0, 'p' }, { "help", 0, 0, 'h' }, { 0 } };
    static struct receiver r;
    const char *port = "5000";
    enum step step;
    for (int o; (o = getopt_long(argc, argv, "", options, 0)) != -1;) {
        switch (o) {
        case 'p': port = optarg; break;
        case 'h': fputs(USAGE, stdout); return 0;
        default: fputs(USAGE, stderr); return 2;
        }
    }
    if (optind + 1 != argc)
        return fputs(USAGE, stderr), 2;
    if (!sha256_works())
        fail("SHA-256 was built wrong");
    int fd = connect_to(argv[optind], port);
    print_end("from", fd, getpeername);
    print_end(" to", fd, getsockname);
    fflush(stdout);
    double start = seconds();
    receiver_init(&r);
    while ((step = receiver_step(&r, fd)) == STEP_AGAIN)
        ;
    if (step == STEP_FAILED) {
        puts("");
        if (errno == EBADMSG)
            fail("MISMATCH after %llu of %llu bytes", (unsigned long long)r.got, (unsigned long long)r.length);
        fail("receive: %m");
    }
    close(fd);
    double took = seconds() - start;
    printf(": %llu bytes in %.3f s, %.1f MB/s, SHA-256 ", (unsigned long long)r.got, took, (double)r.got / took / 1e6);
    print_hash(r.digest);
    puts(" ok");
    return 0;
}
