/* Refused: incompatible */

#include "base/json_writer.h"
#include "base/secret.h"

void mistake(JsonWriter *writer, const Secret *secret);

/* Writing a secret as if it were a name. */
void mistake(JsonWriter *writer, const Secret *secret)
{
#ifdef MISTAKE
    json_writer_string(writer, secret);
#else
    json_writer_secret(writer, secret);
#endif
}
