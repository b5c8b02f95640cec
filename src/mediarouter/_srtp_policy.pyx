"""Sizes of keys, salts and tags of the SRTP profiles (RFC 3711, RFC 6188, RFC 7714)."""

from libc.string cimport memcpy, memset


cdef bint srtp_policy_init(SrtpPolicy *policy, int profile, const uint8_t *key, int key_size,
                           bint inbound) noexcept nogil:
    memset(policy, 0, sizeof(SrtpPolicy))
    policy.inbound = inbound
    policy.gcm = profile == SRTP_AEAD_AES_128_GCM or profile == SRTP_AEAD_AES_256_GCM
    policy.salt_size = 12 if policy.gcm else 14
    if profile == SRTP_AEAD_AES_256_GCM or profile == SRTP_AES256_CM_SHA1_80 or profile == SRTP_AES256_CM_SHA1_32:
        policy.cipher_key_size = 32
    elif policy.gcm or profile == SRTP_AES128_CM_SHA1_80 or profile == SRTP_AES128_CM_SHA1_32:
        policy.cipher_key_size = 16
    else:
        return False
    policy.profile = <SrtpProfile>profile
    policy.tag_size = 4 if profile == SRTP_AES128_CM_SHA1_32 or profile == SRTP_AES256_CM_SHA1_32 else 10
    policy.rtcp_tag_size = 10      # RFC 3711 section 5.2: of SRTCP always 80 bits
    if policy.gcm:
        policy.tag_size = policy.rtcp_tag_size = 16
    policy.key_size = policy.cipher_key_size + policy.salt_size
    if key_size != policy.key_size:
        return False
    memcpy(policy.key, key, key_size)
    return True


def key_size(int profile):
    """Bytes of master key and salt of a profile; None when there is no such profile."""
    cdef SrtpPolicy policy
    cdef uint8_t key[48]
    memset(key, 0, sizeof(key))
    srtp_policy_init(&policy, profile, key, 0, False)
    return policy.key_size or None
