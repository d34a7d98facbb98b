#include "transfer.h"

#include <errno.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char MAGIC[8] = "NCXFER01";
enum { HEADER, DATA, HASH, END };

/* xorshift64*: cheap, and no two transfers alike. */
static uint64_t next_random(uint64_t *x)
{
    *x ^= *x >> 12, *x ^= *x << 25, *x ^= *x >> 27;
    return *x * 0x2545f4914f6cdd1dULL;
}

void sender_init(struct sender *s, uint64_t length, uint64_t seed)
{
    s->left = length;
    s->random = seed * 2 + 1;
    s->stage = DATA;
    s->sent = 0;
    s->have = TRANSFER_HEADER;
    sha256_init(&s->hash);
    memcpy(s->buffer, MAGIC, sizeof MAGIC);
    for (int i = 0; i < 8; i++)
        s->buffer[8 + i] = (uint8_t)(length >> (56 - 8 * i));
}

/* Puts the next part into the empty buffer; 0 when there is none. */
static int refill(struct sender *s)
{
    s->sent = 0;
    if (s->left) {
        s->have = s->left < TRANSFER_BUFFER ? s->left : TRANSFER_BUFFER;
        for (size_t i = 0; i < s->have; i += 8) {
            uint64_t x = next_random(&s->random);
            memcpy(s->buffer + i, &x, 8);
        }
        sha256_add(&s->hash, s->buffer, s->have);
        s->left -= s->have;
        return 1;
    }
    if (s->stage == END)
        return 0;
    s->stage = END;
    s->have = SHA256_LEN;
    sha256_end(&s->hash, s->buffer);
    return 1;
}

enum step sender_step(struct sender *s, int fd)
{
    if (s->sent == s->have && !refill(s))
        return STEP_DONE;
    ssize_t n = send(fd, s->buffer + s->sent, s->have - s->sent, MSG_NOSIGNAL);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? STEP_AGAIN : STEP_FAILED;
    s->sent += (size_t)n;
    return STEP_AGAIN;
}

void receiver_init(struct receiver *r)
{
    r->length = r->got = 0;
    r->stage = HEADER;
    r->have = 0;
    sha256_init(&r->hash);
}

static enum step bad(void)
{
    errno = EBADMSG;
    return STEP_FAILED;
}

/* Collects `want` bytes into part; the number taken from the input. */
static size_t collect(struct receiver *r, const uint8_t *p, size_t len, size_t want)
{
    size_t n = len < want - r->have ? len : want - r->have;
    memcpy(r->part + r->have, p, n);
    r->have += n;
    return n;
}

static enum step receive_bytes(struct receiver *r, const uint8_t *p, size_t len)
{
    while (len) {
        size_t n = 0;
        if (r->stage == HEADER) {
            n = collect(r, p, len, TRANSFER_HEADER);
            if (r->have == TRANSFER_HEADER) {
                if (memcmp(r->part, MAGIC, sizeof MAGIC))
                    return bad();
                for (int i = 0; i < 8; i++)
                    r->length = r->length << 8 | r->part[8 + i];
                r->have = 0;
                r->stage = r->length ? DATA : HASH;
            }
        } else if (r->stage == DATA) {
            n = len < r->length - r->got ? len : r->length - r->got;
            sha256_add(&r->hash, p, n);
            r->got += n;
            if (r->got == r->length)
                r->stage = HASH;
        } else if (r->stage == HASH) {
            n = collect(r, p, len, SHA256_LEN);
            if (r->have == SHA256_LEN) {
                sha256_end(&r->hash, r->digest);
                if (memcmp(r->digest, r->part, SHA256_LEN))
                    return bad();
                r->stage = END;
            }
        } else
            return bad(); /* more than was announced */
        p += n, len -= n;
    }
    return STEP_AGAIN;
}

enum step receiver_step(struct receiver *r, int fd)
{
    ssize_t n = recv(fd, r->buffer, sizeof r->buffer, 0);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? STEP_AGAIN : STEP_FAILED;
    if (n > 0)
        return receive_bytes(r, r->buffer, (size_t)n);
    return r->stage == END ? STEP_DONE : bad(); /* the end must be where it was announced */
}

static struct addrinfo *resolve(const char *host, const char *port, int flags)
{
    struct addrinfo *list, hints = { .ai_socktype = SOCK_STREAM, .ai_flags = flags };
    int e = getaddrinfo(host, port, &hints, &list);
    if (e)
        fail("%s port %s: %s", host ? host : "*", port, gai_strerror(e));
    return list;
}

int connect_to(const char *host, const char *port)
{
    struct addrinfo *list = resolve(host, port, 0);
    int e = 0;
    for (struct addrinfo *a = list; a; a = a->ai_next) {
        int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd >= 0 && !connect(fd, a->ai_addr, a->ai_addrlen)) {
            freeaddrinfo(list);
            return fd;
        }
        e = errno;
        if (fd >= 0)
            close(fd);
    }
    errno = e;
    fail("connect to %s port %s: %m", host, port);
}

int listen_on(const char *host, const char *port, int backlog)
{
    struct addrinfo *a = resolve(host, port, AI_PASSIVE);
    int one = 1, fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        fail("socket: %m");
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one))
        fail("SO_REUSEADDR: %m");
    if (bind(fd, a->ai_addr, a->ai_addrlen))
        fail("bind to %s port %s: %m", host, port);
    if (listen(fd, backlog))
        fail("listen: %m");
    freeaddrinfo(a);
    return fd;
}

void print_end(const char *what, int fd, int (*name)(int, struct sockaddr *, socklen_t *))
{
    struct sockaddr_storage a;
    socklen_t len = sizeof a;
    char host[64], port[8];
    if (name(fd, (struct sockaddr *)&a, &len))
        fail("%s address: %m", what);
    if (getnameinfo((struct sockaddr *)&a, len, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV))
        fail("%s address of family %d", what, a.ss_family);
    printf("%s %s port %s", what, host, port);
}

void print_hash(const uint8_t digest[SHA256_LEN])
{
    for (int i = 0; i < SHA256_LEN; i++)
        printf("%02x", digest[i]);
}

uint64_t parse_size(const char *text)
{
    char *end;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    int shift = *end == 'k' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : 0;
    if (errno || end == text || *text == '-' || end[shift != 0] || n > UINT64_MAX >> (shift + 1))
        fail("%s is not a size (bytes, or with k, M or G)", text);
    return (uint64_t)n << shift;
}

double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void fail(const char *format, ...)
{
    va_list list;
    char text[512];
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    fflush(stdout);
    fprintf(stderr, "%s: %s\n", program_invocation_short_name, text);
    exit(1);
}
