/* Many pieces of memory, here and there, as Python's `bytes`.
 *
 * A processor reads ahead within a page, but does not know the next piece: so while one is copied, the next is asked
 * for. Must be called with Python's lock held. What it calls of Python is in its stable interface, which is the same in
 * all versions; it is declared here, so headers of no version are needed.
 */
#include "crc32c.h"

#include <string.h>

typedef struct object object;
extern object *PyList_New(ptrdiff_t size);
extern int PyList_SetItem(object *list, ptrdiff_t place, object *item);
extern object *PyBytes_FromStringAndSize(const char *from, ptrdiff_t size);
extern char *PyBytes_AsString(object *bytes);
extern object *Py_BuildValue(const char *format, ...);
extern void Py_DecRef(object *any);

enum { LINE = 64, BLOCK = 1536, AHEAD = 128 << 10 };
/* Bytes: of what memory gives at once; copied, and asked for, in turn; asked for of one piece, less than caches hold. */

static int64_t least(int64_t one, int64_t other) { return one < other ? one : other; }

static void ask_for(const char *from, int64_t size)
{
    for (int64_t at = 0; at < size; at += LINE) __builtin_prefetch(from + at, 0, 1);
}

/* Copy a piece, and ask for the one after it.
 *
 * Returns its checksum if that is wanted, else 0. */
static uint32_t copy(char *to, const char *from, int64_t size, const char *after, int64_t after_size, int summed)
{
    uint32_t sum = 0;
    for (int64_t at = 0; at < size || at < after_size; at += BLOCK) {
        if (at < after_size) ask_for(after + at, least(BLOCK, after_size - at));
        if (at >= size) continue;
        int64_t left = least(BLOCK, size - at);
        memcpy(to + at, from + at, (size_t)left);
        if (summed) sum = mlplat_crc32c(sum, to + at, (size_t)left);
    }
    return sum;
}

/* The pieces `start` to `stop` of `count`, as a list. If `sums` is not NULL, those with another CRC-32C are None.
 * NULL if there is no memory, with Python's error set. */
object *mlplat_pieces(
    const char *const *from, const int64_t *sizes, const uint32_t *sums, int64_t start, int64_t stop, int64_t count)
{
    object *list = PyList_New(stop - start);
    for (int64_t i = start; list && i < stop; i++) {
        object *piece = PyBytes_FromStringAndSize(NULL, sizes[i]);
        if (!piece) {
            Py_DecRef(list);
            return NULL;
        }
        int last = i + 1 == count;
        const char *after = last ? NULL : from[i + 1];
        int64_t after_size = last ? 0 : least(AHEAD, sizes[i + 1]);
        uint32_t sum = copy(PyBytes_AsString(piece), from[i], sizes[i], after, after_size, sums != NULL);
        if (sums && sum != sums[i]) {
            Py_DecRef(piece);
            piece = Py_BuildValue(""); /* None */
        }
        PyList_SetItem(list, i - start, piece);
    }
    return list;
}
