/* Refused: read-only */

#include "base/secret.h"

void mistake(const Secret *secret);

/* Changing what others hold a reference to. */
void mistake(const Secret *secret)
{
#ifdef MISTAKE
    *secret_reveal(secret) = 'x';
#else
    (void)secret_reveal(secret);
#endif
}
