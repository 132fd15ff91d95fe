/* Pillow's antialiased resize for 8-bit images of one or three channels, to the bit, in less time.
 *
 * The arithmetic is Pillow's: each target pixel is a weighted mean of some that follow each other, the weights are whole
 * numbers of 22 bits, and the mean is rounded to 8 bits across, and again down.
 */
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define AVX2 __attribute__((target("avx2")))

enum { BITS = 22, HALF = 1 << (BITS - 1), SPARE = 16 };
/* Rows are read and written up to SPARE bytes too far. */

typedef struct {
    const int32_t *first;   /* of each target place: the first source place that it is a mean of, */
    const int32_t *weights; /* and the weights of that and those after it: `taps` for each target place */
    const int32_t *paired;  /* the same for two places at once: for each tap four times the one's, four times the next's;
                               only to go across three channels, else null */
    int taps, count;        /* how many weights a place has, and how many target places there are */
} Plan;

static uint8_t clipped(int32_t sum)
{
    sum >>= BITS;
    return (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

static void grey_across(const uint8_t *row, const Plan *plan, uint8_t *out)
{
    for (int place = 0; place < plan->count; place++) {
        const uint8_t *pixels = row + plan->first[place];
        const int32_t *weights = plan->weights + (size_t)place * plan->taps;
        int32_t sum = HALF;
        for (int tap = 0; tap < plan->taps; tap++)
            sum += pixels[tap] * weights[tap];
        out[place] = clipped(sum);
    }
}

/* Four bytes: the three channels of a pixel, and one byte more. */
AVX2 static inline __m128i four_bytes(const uint8_t *at)
{
    int32_t bytes;
    memcpy(&bytes, at, sizeof bytes);
    return _mm_cvtsi32_si128(bytes);
}

AVX2 static inline void put_four_bytes(uint8_t *at, __m128i sums)
{
    __m128i words = _mm_packs_epi32(sums, sums);
    int32_t bytes = _mm_cvtsi128_si32(_mm_packus_epi16(words, words));
    memcpy(at, &bytes, sizeof bytes);
}

/* Two pixels at once, one in each lane of 128 bits; of an odd number the last is made twice. */
AVX2 static void colours_across(const uint8_t *row, const Plan *plan, uint8_t *out)
{
    const int32_t *weights = plan->paired;
    for (int place = 0; place < plan->count; place += 2) {
        int next = place + 1 < plan->count ? place + 1 : place;
        const uint8_t *one = row + 3 * plan->first[place], *two = row + 3 * plan->first[next];
        __m256i sums = _mm256_set1_epi32(HALF);
        for (int tap = 0; tap < plan->taps; tap++, one += 3, two += 3, weights += 8) {
            __m256i pixels = _mm256_cvtepu8_epi32(_mm_unpacklo_epi32(four_bytes(one), four_bytes(two)));
            __m256i factors = _mm256_loadu_si256((const __m256i *)weights);
            sums = _mm256_add_epi32(sums, _mm256_mullo_epi32(pixels, factors));
        }
        sums = _mm256_srai_epi32(sums, BITS);
        put_four_bytes(out + 3 * place, _mm256_castsi256_si128(sums)); /* the fourth is written over by the next pixel */
        put_four_bytes(out + 3 * next, _mm256_extracti128_si256(sums, 1));
    }
}

/* One row of `bytes` bytes from `taps` rows that were resized across, with a weight each. */
AVX2 static void down(const uint8_t *const *rows, const int32_t *weights, int taps, size_t bytes, uint8_t *out)
{
    size_t at = 0;
    for (; at + 16 <= bytes; at += 16) {
        __m256i low = _mm256_set1_epi32(HALF), high = low;
        for (int tap = 0; tap < taps; tap++) {
            __m256i factor = _mm256_set1_epi32(weights[tap]);
            __m128i pixels = _mm_loadu_si128((const __m128i *)(rows[tap] + at));
            low = _mm256_add_epi32(low, _mm256_mullo_epi32(_mm256_cvtepu8_epi32(pixels), factor));
            pixels = _mm_unpackhi_epi64(pixels, pixels);
            high = _mm256_add_epi32(high, _mm256_mullo_epi32(_mm256_cvtepu8_epi32(pixels), factor));
        }
        __m256i words = _mm256_packs_epi32(_mm256_srai_epi32(low, BITS), _mm256_srai_epi32(high, BITS));
        words = _mm256_permute4x64_epi64(words, _MM_SHUFFLE(3, 1, 2, 0)); /* packing is of each lane by itself */
        _mm_storeu_si128((__m128i *)(out + at),
                         _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1)));
    }
    for (; at < bytes; at++) {
        int32_t sum = HALF;
        for (int tap = 0; tap < taps; tap++)
            sum += rows[tap][at] * weights[tap];
        out[at] = clipped(sum);
    }
}

/* Resize `image`, height x width x channels bytes, into `target`, rows x columns x channels; both without gaps.
 *
 * Channels are 1 or 3. The plans say how across, to `columns` places, and down, to `rows`; all that they refer to lies
 * within the image, and the places of `down` do not go back. Returns 0, or -1 where there is no memory.
 */
AVX2 int mlplat_resample(const uint8_t *image, int height, int width, int channels, uint8_t *target,
                         const Plan *across_plan, const Plan *down_plan)
{
    const int taps = down_plan->taps;
    const size_t source_bytes = (size_t)width * channels, bytes = (size_t)across_plan->count * channels;
    const size_t line = bytes + SPARE;
    uint8_t *last = malloc(source_bytes + SPARE); /* the last row, beyond which there is nothing to be read */
    uint8_t *lines = malloc(line * taps);         /* the rows that were made last, by their number modulo `taps` */
    const uint8_t **rows = malloc(taps * sizeof *rows);
    int made = last && lines && rows ? 0 : -1;
    if (made == 0) {
        memcpy(last, image + (height - 1) * source_bytes, source_bytes);
        int next = 0; /* the first row that was not made yet */
        for (int place = 0; place < down_plan->count; place++) {
            int first = down_plan->first[place];
            for (next = next > first ? next : first; next < first + taps; next++) {
                const uint8_t *row = next == height - 1 ? last : image + next * source_bytes;
                (channels == 3 ? colours_across : grey_across)(row, across_plan, lines + next % taps * line);
            }
            for (int tap = 0; tap < taps; tap++)
                rows[tap] = lines + (first + tap) % taps * line;
            down(rows, down_plan->weights + (size_t)place * taps, taps, bytes, target + place * bytes);
        }
    }
    free(last);
    free(lines);
    free(rows);
    return made;
}
