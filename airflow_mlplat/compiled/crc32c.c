/* CRC-32C (RFC 3720, appendix B.4), by the processor's instruction for it.
 *
 * The instruction takes three cycles, but one can begin in every cycle: so three lanes that follow each other are
 * summed at once, each as if nothing came before it. What comes before then counts as if so many zero bytes followed,
 * which multiplies it by a power of x: V. Gopal et al., "Fast CRC Computation for iSCSI Polynomial Using CRC32
 * Instruction" (Intel, 2011).
 */
#include "crc32c.h"

#include <immintrin.h>
#include <string.h>

enum { LANE = 512 };

/* x to the power of 8 * LANE - 33, and of twice as many bytes, modulo the polynomial, bits reversed: the instruction
 * that reduces the product multiplies it by the other 33. */
static const uint32_t OVER_ONE = 0xdd7e3b0c, OVER_TWO = 0x170076fa;

static uint64_t word(const char *from)
{
    uint64_t found;
    memcpy(&found, from, sizeof found);
    return found;
}

/* What a sum becomes when as many bytes follow as `power` stands for, before they are counted themselves. */
__attribute__((target("sse4.2,pclmul"))) static uint64_t over(uint64_t sum, uint32_t power)
{
    __m128i product = _mm_clmulepi64_si128(_mm_cvtsi64_si128((int64_t)sum), _mm_cvtsi32_si128((int)power), 0);
    return _mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(product));
}

__attribute__((target("sse4.2,pclmul"))) uint32_t mlplat_crc32c(uint32_t sum, const char *from, size_t size)
{
    uint64_t first = ~sum;
    for (; size >= 3 * LANE; from += 3 * LANE, size -= 3 * LANE) {
        uint64_t second = 0, third = 0;
        for (const char *at = from; at < from + LANE; at += 8) {
            first = _mm_crc32_u64(first, word(at));
            second = _mm_crc32_u64(second, word(at + LANE));
            third = _mm_crc32_u64(third, word(at + 2 * LANE));
        }
        first = over(first, OVER_TWO) ^ over(second, OVER_ONE) ^ third;
    }
    for (; size >= 8; from += 8, size -= 8) first = _mm_crc32_u64(first, word(from));
    for (; size; from++, size--) first = _mm_crc32_u8((uint32_t)first, (unsigned char)*from);
    return ~(uint32_t)first;
}
