/* Refused: incomplete */

#include "base/secret.h"

void mistake(Secret *const *secrets, const Secret *first, const char **ret_bytes);

/* The bytes of a secret as an array. */
void mistake(Secret *const *secrets, const Secret *first, const char **ret_bytes)
{
#ifdef MISTAKE
    *ret_bytes = (const char *)&first[1];
    (void)secrets;
#else
    *ret_bytes = secret_reveal(secrets[1]);
    (void)first;
#endif
}
