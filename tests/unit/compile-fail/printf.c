/* Refused: format */

#include <stdio.h>

#include "base/secret.h"

void mistake(const Secret *secret);

/* Printing a secret. */
void mistake(const Secret *secret)
{
#ifdef MISTAKE
    printf("%s\n", secret);
#else
    printf("%zu bytes\n", secret_size(secret));
#endif
}
