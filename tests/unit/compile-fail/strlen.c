/* Refused: incompatible */

#include <string.h>

#include "base/secret.h"

void mistake(const Secret *secret, size_t *ret_size);

/* Measuring a secret up to its first NUL. */
void mistake(const Secret *secret, size_t *ret_size)
{
#ifdef MISTAKE
    *ret_size = strlen(secret);
#else
    *ret_size = secret_size(secret);
#endif
}
