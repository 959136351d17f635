"""KMS's refusals: each rule the sandbox adds passes here and fails on plain MiniStack 1.5.33."""

import pytest

from tests.sandbox.cognito_kit import code_of

ROW, OTHER_ROW = {"binding": "row"}, {"binding": "other row"}


def made(kit):
    """(client, key id, a data key as GenerateDataKey answers it)"""
    kms = kit.client("kms")
    key_id = kms.create_key()["KeyMetadata"]["KeyId"]
    return kms, key_id, kms.generate_data_key(KeyId=key_id, KeySpec="AES_256", EncryptionContext=ROW)


def another_key(kit):
    kms, _, made_here = made(kit)
    other = kms.create_key()["KeyMetadata"]["KeyId"]
    asked = {"KeyId": other, "CiphertextBlob": made_here["CiphertextBlob"], "EncryptionContext": ROW}
    assert code_of(kms.decrypt, **asked) == "IncorrectKeyException"


def changed_bit(kit):
    kms, key_id, made_here = made(kit)
    for place in (-1, -20, 70):
        blob = bytearray(made_here["CiphertextBlob"])
        blob[place] ^= 1
        asked = {"KeyId": key_id, "CiphertextBlob": bytes(blob), "EncryptionContext": ROW}
        assert code_of(kms.decrypt, **asked) == "InvalidCiphertextException"


def unknown_key(kit):
    kms, key_id, made_here = made(kit)
    nobodys = key_id[:-12] + "0" * 12
    asked = {"KeyId": nobodys, "CiphertextBlob": made_here["CiphertextBlob"], "EncryptionContext": ROW}
    assert code_of(kms.decrypt, **asked) == "NotFoundException"


RULES = pytest.mark.parametrize("probe", [another_key, unknown_key, changed_bit])


@RULES
def test_rule_on_the_sandbox(sandbox, probe):
    probe(sandbox)


@RULES
def test_rule_missing_from_plain_ministack(plain_ministack, probe):
    with pytest.raises(AssertionError):
        probe(plain_ministack)


@pytest.mark.parametrize("name", ["key id", "ARN", "alias", "alias ARN"])
def test_a_data_key_opens_by_each_of_its_names_and_for_its_context_alone(sandbox, name):
    kms, key_id, _ = made(sandbox)
    arn, alias = kms.describe_key(KeyId=key_id)["KeyMetadata"]["Arn"], f"alias/of-{key_id}"
    kms.create_alias(AliasName=alias, TargetKeyId=key_id)
    called = {"key id": key_id, "ARN": arn, "alias": alias, "alias ARN": arn.replace(f"key/{key_id}", alias)}[name]
    answer = kms.generate_data_key(KeyId=called, KeySpec="AES_256", EncryptionContext=ROW)
    asked = {"KeyId": called, "CiphertextBlob": answer["CiphertextBlob"]}

    assert kms.decrypt(**asked, EncryptionContext=ROW)["Plaintext"] == answer["Plaintext"]
    assert len(answer["Plaintext"]) == 32
    assert code_of(kms.decrypt, **asked, EncryptionContext=OTHER_ROW) == "InvalidCiphertextException"
    assert code_of(kms.decrypt, **asked) == "InvalidCiphertextException"


def test_what_encrypt_made_opens_too_and_a_disabled_key_opens_nothing(sandbox):
    kms, key_id, made_here = made(sandbox)
    blob = kms.encrypt(KeyId=key_id, Plaintext=b"text", EncryptionContext=ROW)["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=blob, EncryptionContext=ROW)["Plaintext"] == b"text"
    kms.disable_key(KeyId=key_id)
    asked = {"KeyId": key_id, "CiphertextBlob": made_here["CiphertextBlob"], "EncryptionContext": ROW}
    assert code_of(kms.decrypt, **asked) == "DisabledException"
