#include "base/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define KEY_HEX "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static DigestKey make_key(const char *hex)
{
    DigestKey key;

    assert_true(digest_key_parse(hex, strlen(hex), &key));
    return key;
}

static void assert_digest(const DigestKey *key, const void *data, size_t size, const char *expected)
{
    Digest digest = digest_compute(key, data, size);
    char hex[DIGEST_HEX_SIZE];

    digest_format(&digest, hex);
    assert_string_equal(hex, expected);
}

/*
 * Digests are stored, so they must stay what they are. The values are Python's:
 * hashlib.blake2b(data, digest_size=16, key=bytes(range(32))).hexdigest()
 */
static void test_known_answers(void **state)
{
    DigestKey key = make_key(KEY_HEX);
    char thousand[1000];

    (void)state;
    memset(thousand, 'x', sizeof(thousand));
    assert_digest(&key, NULL, 0, "3daf97bce7888fd59773c66bf647459c");
    assert_digest(&key, "abc", 3, "1a64be47e4729d951c302ee543f97cf3");
    assert_digest(&key, "a\0c", 3, "fc59a4adc4f24ed03cfe181887316842");
    assert_digest(&key, thousand, sizeof(thousand), "47a3dc8cb084a2596adb50fe48869f8c");
}

static void test_key_matters(void **state)
{
    DigestKey key = make_key(KEY_HEX), other = key;
    Digest a = digest_compute(&key, "abc", 3), b;

    (void)state;
    b = digest_compute(&key, "abc", 3);
    assert_true(digest_equal(&a, &b));
    b = digest_compute(&key, "abd", 3);
    assert_false(digest_equal(&a, &b));
    b = digest_compute(&key, "abc\0", 4);
    assert_false(digest_equal(&a, &b));
    other.bytes[DIGEST_KEY_BYTES - 1] ^= 1;
    b = digest_compute(&other, "abc", 3);
    assert_false(digest_equal(&a, &b));
}

static void test_equal_looks_at_all(void **state)
{
    Digest a = {}, b = {};

    (void)state;
    for (size_t i = 0; i < DIGEST_BYTES; i++) {
        assert_true(digest_equal(&a, &b));
        b.bytes[i] = 1;
        assert_false(digest_equal(&a, &b));
        b.bytes[i] = 0;
    }
}

static void test_format(void **state)
{
    Digest digest = {{0x00, 0x01, 0x7f, 0x80, 0xab, 0xcd, 0xef, 0xff}}, parsed;
    char hex[DIGEST_HEX_SIZE];

    (void)state;
    digest_format(&digest, hex);
    assert_string_equal(hex, "00017f80abcdefff0000000000000000");
    assert_true(digest_parse(hex, strlen(hex), &parsed));
    assert_true(digest_equal(&digest, &parsed));
}

static void test_key_format(void **state)
{
    DigestKey key = make_key(KEY_HEX);
    char hex[DIGEST_KEY_HEX_SIZE];

    (void)state;
    for (uint8_t i = 0; i < DIGEST_KEY_BYTES; i++)
        assert_int_equal(key.bytes[i], i);
    digest_key_format(&key, hex);
    assert_string_equal(hex, KEY_HEX);
}

/* What is no digest leaves the result as it was. */
static void test_parse_refuses(void **state)
{
    static const struct {
        const char *hex;
        size_t size;
    } cases[] = {
        {"", 0},
        {"00", 2},
        {"000102030405060708090a0b0c0d0e0", 31},
        {"000102030405060708090a0b0c0d0e0f0", 33},
        {"000102030405060708090a0b0c0d0e0f00", 34},
        {"000102030405060708090A0b0c0d0e0f", 32}, /* upper case */
        {"000102030405060708090a0b0c0d0e0F", 32},
        {"000102030405060708090a0b0c0d0e0g", 32},
        {"000102030405060708090a0b0c0d0e0:", 32}, /* the neighbours of 0 and 9, a and f */
        {"000102030405060708090a0b0c0d0e0/", 32},
        {"000102030405060708090a0b0c0d0e0`", 32},
        {" 00102030405060708090a0b0c0d0e0f", 32},
        {"000102030405060708090a0b0c0d0e0 ", 32},
        {"0x0102030405060708090a0b0c0d0e0f", 32},
        {"000102030405060708090a0b0c0d0e\0f", 32},
        {"000102030405060708090a0b0c0d0e\xc3\xa9", 32},
    };
    Digest digest;

    (void)state;
    memset(&digest, 0x55, sizeof(digest));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_false(digest_parse(cases[i].hex, cases[i].size, &digest));
        for (size_t k = 0; k < DIGEST_BYTES; k++)
            assert_int_equal(digest.bytes[k], 0x55);
    }
}

static void test_key_parse_refuses(void **state)
{
    DigestKey key;

    (void)state;
    memset(&key, 0x55, sizeof(key));
    assert_false(digest_key_parse(KEY_HEX, strlen(KEY_HEX) - 1, &key));
    assert_false(digest_key_parse(KEY_HEX, strlen(KEY_HEX) - 2, &key));
    assert_false(digest_key_parse(KEY_HEX "0", strlen(KEY_HEX) + 1, &key));
    assert_false(digest_key_parse(KEY_HEX "00", strlen(KEY_HEX) + 2, &key));
    assert_false(digest_key_parse("", 0, &key));
    for (size_t i = 0; i < DIGEST_KEY_BYTES; i++)
        assert_int_equal(key.bytes[i], 0x55);
}

static void test_random(void **state)
{
    DigestKey a = digest_key_random(), b = digest_key_random();
    uint64_t ones = 0, zeroes = 0;

    (void)state;
    assert_memory_not_equal(&a, &b, sizeof(a));
    /* Each of the 64 bits is seen as 1 and as 0: fails by chance once in 2^93. */
    for (int i = 0; i < 100; i++) {
        uint64_t random = digest_random();

        ones |= random;
        zeroes |= ~random;
    }
    assert_true(ones == UINT64_MAX);
    assert_true(zeroes == UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_answers),      cmocka_unit_test(test_key_matters),
        cmocka_unit_test(test_equal_looks_at_all), cmocka_unit_test(test_format),
        cmocka_unit_test(test_key_format),         cmocka_unit_test(test_parse_refuses),
        cmocka_unit_test(test_key_parse_refuses),  cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
