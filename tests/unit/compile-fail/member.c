/* Refused: incomplete */

#include "base/secret.h"

void mistake(const Secret *secret, char *ret_byte);

/* The bytes of a secret without asking for them. */
void mistake(const Secret *secret, char *ret_byte)
{
#ifdef MISTAKE
    *ret_byte = secret->data[0];
#else
    *ret_byte = secret_reveal(secret)[0];
#endif
}
