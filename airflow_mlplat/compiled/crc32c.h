/* CRC-32C of memory, by the processor's own instruction. */
#include <stddef.h>
#include <stdint.h>

/* Go on from the checksum `sum` of what came before, 0 at first. */
uint32_t mlplat_crc32c(uint32_t sum, const char *from, size_t size);
