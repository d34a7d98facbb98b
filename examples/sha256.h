/* SHA-256 (FIPS 180-4), so that the examples need no library. */
#ifndef SHA256_H
#define SHA256_H
#include <stddef.h>
#include <stdint.h>

enum { SHA256_LEN = 32 };

struct sha256 {
    uint32_t state[8];
    uint64_t length;
    uint8_t block[64];
};

void sha256_init(struct sha256 *s);
void sha256_add(struct sha256 *s, const void *data, size_t len);
void sha256_end(struct sha256 *s, uint8_t digest[SHA256_LEN]);
/* Hashes "abc": 1 if the result is that of FIPS 180-4. */
int sha256_works(void);

#endif
