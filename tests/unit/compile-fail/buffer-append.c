/* Refused: incompatible */

#include "base/secret.h"

void mistake(Buffer *buffer, const Secret *secret);

/* Appending a secret as a string. */
void mistake(Buffer *buffer, const Secret *secret)
{
#ifdef MISTAKE
    (void)buffer_append_string(buffer, secret);
#else
    (void)buffer_append_string(buffer, secret_reveal(secret));
#endif
}
