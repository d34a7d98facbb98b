/* Bulk transfer whose content is verified: the sender hashes what it sends, the receiver what it gets, and the receiver
 * compares. Every 4 KiB carry their place in the stream, so nothing can be lost, doubled or exchanged unseen.
 *
 *   bulk server PORT                             a thread for each connection
 *   bulk up|down HOST PORT STREAMS MEBIBYTES     so many on each stream, from or to this side
 *
 * A connection: 16 octets of request (direction, length), the data, 8 octets of the sender's hash, 1 octet of verdict.
 * The client prints one line of JSON and fails if a stream differs. */
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 256 * 1024, PAGE = 4096, MOST_STREAMS = 64, SAME = 'Y', DIFFERS = 'N' };

struct request {
    uint64_t direction, length;
};

struct stream {
    pthread_t thread;
    struct sockaddr_in to;
    struct request request;
    const char *error;
};

static uint64_t nanoseconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int whole(ssize_t (*call)(int, char *, size_t), int fd, void *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = call(fd, (char *)data + done, size - done);
        if (n <= 0)
            return -1;
        done += (size_t)n;
    }
    return 0;
}
static ssize_t out(int fd, char *data, size_t size) { return send(fd, data, size, MSG_NOSIGNAL); }
static ssize_t in(int fd, char *data, size_t size) { return recv(fd, data, size, 0); }

/* Four lanes of multiply and rotate, as XXH64 has them. */
static void hash(uint64_t lanes[4], const char *data, size_t size)
{
    const uint64_t p1 = 0x9E3779B185EBCA87u, p2 = 0xC2B2AE3D27D4EB4Fu;
    for (size_t i = 0; i < size; i += 32)
        for (int lane = 0; lane < 4; lane++) {
            uint64_t word;
            memcpy(&word, data + i + 8 * lane, 8);
            word = lanes[lane] + word * p2;
            lanes[lane] = (word << 31 | word >> 33) * p1;
        }
}
static uint64_t digest(const uint64_t lanes[4])
{
    uint64_t all = 0;
    for (int lane = 0; lane < 4; lane++)
        all = (all ^ lanes[lane]) * 0x9E3779B185EBCA87u + 0x85EBCA77C2B2AE63u;
    return all;
}

static const char *send_all(int fd, uint64_t length, char *block)
{
    uint64_t lanes[4] = { 1, 2, 3, 4 }, random = nanoseconds() | 1;
    for (size_t i = 0; i < BLOCK; i += 8) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        memcpy(block + i, &random, 8);
    }
    for (uint64_t at = 0; at < length; at += BLOCK) {
        for (uint64_t page = 0; page < BLOCK; page += PAGE) {
            uint64_t place = at + page;
            memcpy(block + page, &place, 8);
        }
        hash(lanes, block, BLOCK);
        if (whole(out, fd, block, BLOCK))
            return "send";
    }
    uint64_t mine = digest(lanes);
    char verdict;
    if (whole(out, fd, &mine, sizeof mine) || whole(in, fd, &verdict, 1))
        return "the end of a stream";
    return verdict == SAME ? 0 : "the receiver's data differ";
}

static const char *receive_all(int fd, uint64_t length, char *block)
{
    uint64_t lanes[4] = { 1, 2, 3, 4 }, theirs;
    for (uint64_t at = 0; at < length; at += BLOCK) {
        if (whole(in, fd, block, BLOCK))
            return "receive";
        hash(lanes, block, BLOCK);
    }
    if (whole(in, fd, &theirs, sizeof theirs))
        return "the end of a stream";
    char verdict = digest(lanes) == theirs ? SAME : DIFFERS;
    if (whole(out, fd, &verdict, 1))
        return "the verdict";
    return verdict == SAME ? 0 : "the sender's data differ";
}

static const char *transfer(int fd, struct request request, int client)
{
    char *block = malloc(BLOCK);
    if (!block || request.length % BLOCK)
        return "a request that is none";
    const char *error = (request.direction == 'U') == client ? send_all(fd, request.length, block)
                                                              : receive_all(fd, request.length, block);
    free(block);
    close(fd);
    return error;
}

static void *serve(void *argument)
{
    struct request request;
    int fd = (int)(intptr_t)argument;
    const char *error = whole(in, fd, &request, sizeof request) ? 0 : transfer(fd, request, 0);
    if (error)
        fprintf(stderr, "bulk server: %s\n", error);
    return 0;
}

static void *client(void *argument)
{
    struct stream *stream = argument;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&stream->to, sizeof stream->to))
        stream->error = "connect";
    else if (whole(out, fd, &stream->request, sizeof stream->request))
        stream->error = "the request";
    else
        stream->error = transfer(fd, stream->request, 1);
    return 0;
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

static int server(const char *port)
{
    struct sockaddr_in any = address("0.0.0.0", port);
    int one = 1, fd, listener = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&any, sizeof any) || listen(listener, 128)) {
        perror("bulk server");
        return 1;
    }
    while ((fd = accept(listener, 0, 0)) >= 0 || errno == ECONNABORTED) {
        pthread_t thread;
        if (fd >= 0 && (pthread_create(&thread, 0, serve, (void *)(intptr_t)fd) || pthread_detach(thread)))
            close(fd);
    }
    perror("accept");
    return 1;
}

int main(int argc, char **argv)
{
    if (argc == 3 && !strcmp(argv[1], "server"))
        return server(argv[2]);
    int streams = argc == 6 ? atoi(argv[4]) : 0;
    long mebibytes = argc == 6 ? atol(argv[5]) : 0;
    if (streams < 1 || streams > MOST_STREAMS || mebibytes < 1) {
        fputs("usage: see the head of bulk.c\n", stderr);
        return 2;
    }
    struct stream all[MOST_STREAMS];
    const struct request request = { strcmp(argv[1], "up") ? 'D' : 'U', (uint64_t)mebibytes << 20 };
    uint64_t start = nanoseconds();
    for (int i = 0; i < streams; i++) {
        all[i] = (struct stream){ .to = address(argv[2], argv[3]), .request = request };
        if (pthread_create(&all[i].thread, 0, client, &all[i])) {
            perror("pthread_create");
            return 1;
        }
    }
    int failed = 0;
    for (int i = 0; i < streams; i++) {
        pthread_join(all[i].thread, 0);
        if (all[i].error)
            fprintf(stderr, "stream %d: %s\n", i, all[i].error);
        failed |= all[i].error != 0;
    }
    printf("{\"bytes\":%llu,\"seconds\":%.6f}\n", (unsigned long long)streams * request.length, (double)(nanoseconds() - start) / 1e9);
    return failed;
}
