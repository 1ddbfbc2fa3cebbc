#include "ipc/credential_name.h"

#include <string.h>

#define CREDENTIAL_NAME_DIGITS  "0123456789"
#define CREDENTIAL_NAME_LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define CREDENTIAL_NAME_UNIT    CREDENTIAL_NAME_DIGITS CREDENTIAL_NAME_LETTERS ":-_.\\@"

/* Of a random number of 64 bits. */
#define CREDENTIAL_NAME_HEX_MAX 16

/* Takes what stands before `end`, of `known` characters, from 1 to `max` of them. Where it ends, or NULL. */
static const char *credential_name_take(const char *text, const char *known, size_t max, char end)
{
    size_t size = strspn(text, known);

    return size >= 1 && size <= max && text[size] == end ? text + size : NULL;
}

/* systemd takes any file name without control characters; what is not ASCII names no instance of ours. */
static int credential_name_is_id(const char *text)
{
    if (!*text || strcmp(text, ".") == 0 || strcmp(text, "..") == 0)
        return 0;
    for (; *text; text++)
        if (*text < ' ' || *text > '~' || *text == '/')
            return 0;
    return 1;
}

int credential_name_parse(const char *name, size_t size, CredentialName *ret_name)
{
    static const char word[] = "/unit/";
    char text[CREDENTIAL_NAME_BYTES_MAX + 1];
    const char *unit, *end;

    if (size < 1 || size > CREDENTIAL_NAME_BYTES_MAX + 1 || name[0] != '\0' ||
        memchr(name + 1, '\0', size - 1))
        return CREDENTIAL_NAME_E_SYNTAX;
    memcpy(text, name + 1, size - 1);
    text[size - 1] = '\0';
    end = credential_name_take(text, CREDENTIAL_NAME_DIGITS "abcdef", CREDENTIAL_NAME_HEX_MAX, '/');
    if (!end || strncmp(end, word, strlen(word)) != 0)
        return CREDENTIAL_NAME_E_SYNTAX;
    unit = end + strlen(word);
    end = credential_name_take(unit, CREDENTIAL_NAME_UNIT, CREDENTIAL_NAME_BYTES_MAX, '/');
    if (!end || !credential_name_is_id(end + 1))
        return CREDENTIAL_NAME_E_SYNTAX;
    *ret_name = (CredentialName){};
    memcpy(ret_name->unit, unit, (size_t)(end - unit));
    memcpy(ret_name->id, end + 1, strlen(end + 1));
    return 0;
}
