/* replay.c: gives files to a fuzz target, for compilers without libFuzzer. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define INPUT_MAX 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        FILE *file = fopen(argv[i], "rb");
        uint8_t *whole = malloc(INPUT_MAX);
        if (file == NULL || whole == NULL) {
            perror(argv[i]);
            return 2;
        }
        size_t size = fread(whole, 1, INPUT_MAX, file);
        fclose(file);
        /* A block of exactly this size, so that one byte too far is seen. */
        uint8_t *data = realloc(whole, size != 0 ? size : 1);
        LLVMFuzzerTestOneInput(data, size);
        free(data);
    }
    printf("%d inputs\n", argc - 1);
    return 0;
}
