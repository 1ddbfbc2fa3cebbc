/* Refused: incomplete */

#include <string.h>

#include "base/secret.h"

void mistake(void *memory, const Secret *secret);

/* How large a secret is, to copy it. */
void mistake(void *memory, const Secret *secret)
{
#ifdef MISTAKE
    memcpy(memory, secret, sizeof(*secret));
#else
    memcpy(memory, secret_reveal(secret), secret_size(secret));
#endif
}
