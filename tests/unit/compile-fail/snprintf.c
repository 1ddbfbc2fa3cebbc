/* Refused: format */

#include <stdio.h>

#include "base/secret.h"

void mistake(char *text, size_t size, const Secret *secret);

/* Formatting a secret into ordinary memory. */
void mistake(char *text, size_t size, const Secret *secret)
{
#ifdef MISTAKE
    (void)snprintf(text, size, "%s", secret);
#else
    (void)snprintf(text, size, "%s", secret ? "set" : "not set");
#endif
}
