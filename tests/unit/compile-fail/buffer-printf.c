/* Refused: format */

#include "base/secret.h"

void mistake(Buffer *buffer, const Secret *secret);

/* Formatting a secret into a buffer. */
void mistake(Buffer *buffer, const Secret *secret)
{
#ifdef MISTAKE
    (void)buffer_printf(buffer, "%s", secret);
#else
    (void)buffer_printf(buffer, "%zu", secret_size(secret));
#endif
}
