#include "ipc/interface.h"

#include <string.h>

#include "base/cleanup.h"

/* The file at `path`, from the root of the sources, and a NUL, as the symbol `name`. */
#define INTERFACE_EMBED(name, path)                                                                \
    extern const char name[] __attribute__((visibility("hidden")));                                \
    __asm__(".pushsection .rodata\n" #name ":\n.incbin \"" path "\"\n.byte 0\n.popsection\n")

INTERFACE_EMBED(interface_elementd, "ipc/io.elementd.varlink");
INTERFACE_EMBED(interface_service, "ipc/org.varlink.service.varlink");

const Interface interfaces[] = {
    {"io.elementd", interface_elementd},
    {"org.varlink.service", interface_service},
};

const size_t interfaces_n = N_ELEMENTS(interfaces);

const Interface *interface_find(const char *name, size_t size)
{
    for (size_t i = 0; i < interfaces_n; i++)
        if (strlen(interfaces[i].name) == size && memcmp(interfaces[i].name, name, size) == 0)
            return &interfaces[i];
    return NULL;
}
