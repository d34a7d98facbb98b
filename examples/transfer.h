/* What the examples share: addresses, and a transfer that proves itself.
 *
 * A transfer is a header (8 bytes "NCXFER01", 8 bytes length, big-endian), so many bytes of
 * pseudo-random data, and their SHA-256. Neither end trusts the other: the receiver hashes what it got.
 * Both ends can be driven step by step, so that one connection can carry a transfer each way at once.
 */
#ifndef TRANSFER_H
#define TRANSFER_H
#include "sha256.h"

#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

enum { TRANSFER_HEADER = 16, TRANSFER_BUFFER = 64 * 1024 };

/* What a step came to. */
enum step {
    STEP_AGAIN,  /* moved something, or would block: call again when the socket is ready */
    STEP_DONE,   /* all sent, or all received and the hash is right */
    STEP_FAILED, /* errno says why; EBADMSG: not a transfer, cut short, or the hash is wrong */
};

struct sender {
    uint64_t left, random;
    struct sha256 hash;
    int stage;
    size_t have, sent;
    uint8_t buffer[TRANSFER_BUFFER];
};

struct receiver {
    uint64_t length, got;
    struct sha256 hash;
    int stage;
    size_t have;
    uint8_t part[SHA256_LEN];
    uint8_t digest[SHA256_LEN];
    uint8_t buffer[TRANSFER_BUFFER];
};

void sender_init(struct sender *s, uint64_t length, uint64_t seed);
enum step sender_step(struct sender *s, int fd);
void receiver_init(struct receiver *r);
enum step receiver_step(struct receiver *r, int fd);

/* A connected or listening socket; exits with a message when there is none. */
int connect_to(const char *host, const char *port);
int listen_on(const char *host, const char *port, int backlog);
/* "10.77.0.2 port 5000" of one end of a connection. */
void print_end(const char *what, int fd, int (*name)(int, struct sockaddr *, socklen_t *));
void print_hash(const uint8_t digest[SHA256_LEN]);

/* "64k", "8M", "1G" or plain bytes; exits with a message if it is none. */
uint64_t parse_size(const char *text);
double seconds(void);
__attribute__((noreturn, format(printf, 1, 2))) void fail(const char *format, ...);

#endif
