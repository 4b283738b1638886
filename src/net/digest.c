/* Mbed TLS under the names that smsd has for it. Its md layer fails only for an algorithm that it
 * was built without, which is a fault of the build. */
#include "net/digest.h"

#include <assert.h>
#include <mbedtls/md.h>

static const mbedtls_md_info_t *info_of(enum digest digest)
{
    static const mbedtls_md_type_t types[] = {[DIGEST_MD5] = MBEDTLS_MD_MD5,
                                              [DIGEST_SHA1] = MBEDTLS_MD_SHA1,
                                              [DIGEST_SHA256] = MBEDTLS_MD_SHA256,
                                              [DIGEST_SHA512] = MBEDTLS_MD_SHA512};
    const mbedtls_md_info_t *info = mbedtls_md_info_from_type(types[digest]);

    assert(info != NULL);
    return info;
}

size_t digest_of(enum digest digest, const void *data, size_t size, uint8_t to[DIGEST_BYTES_MAX])
{
    const mbedtls_md_info_t *info = info_of(digest);
    int error = mbedtls_md(info, size == 0 ? (const void *)"" : data, size, to);

    assert(error == 0);
    return mbedtls_md_get_size(info);
}

size_t digest_hmac(enum digest digest, const void *key, size_t key_size, const void *data,
                   size_t size, uint8_t to[DIGEST_BYTES_MAX])
{
    const mbedtls_md_info_t *info = info_of(digest);
    int error = mbedtls_md_hmac(info, key_size == 0 ? (const void *)"" : key, key_size,
                                size == 0 ? (const void *)"" : data, size, to);

    assert(error == 0);
    return mbedtls_md_get_size(info);
}
