/* What the library says of itself. */

/* The SHA-256 of the C files that it was made of; given by `scripts/compile`. */
const char *mlplat_source(void) { return SOURCE; }

/* Whether this processor has the instructions that it was compiled for. */
int mlplat_runs_here(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul");
}
