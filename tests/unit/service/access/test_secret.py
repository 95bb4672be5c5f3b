"""A key's text and its hash."""

import pytest

from service.access.secret import KeyText, hashed, matches, new_key_text, parsed


def test_a_new_key_is_read_back_and_no_two_are_alike() -> None:
    first, second = new_key_text(), new_key_text()
    assert parsed(str(first)) == first
    assert len({first.id, second.id, first.secret, second.secret}) == 4


@pytest.mark.parametrize(
    "text",
    ["", "dvpt_", "dvpt_0123456789ab_", "x" * 100, "dvpt_0123456789AB_" + "a" * 43,
     "dvpt_0123456789ab_" + "a" * 44, "dvpt_0123456789ab_" + "ä" * 43, "dvpt_٠123456789ab_" + "a" * 43,
     "dvpt_0123456789ab_" + "a" * 43 + "\n"],
)  # fmt: skip
def test_any_other_text_is_no_key(text: str) -> None:
    assert parsed(text) is None


def test_a_hash_is_of_one_secret_and_salted() -> None:
    secret = new_key_text().secret
    first, second = hashed(secret), hashed(secret)
    assert first.digest != second.digest
    assert secret not in repr((first, second))
    assert matches(secret, first)
    assert matches(secret, second)
    assert not matches(secret[:-1] + ("A" if secret[-1] != "A" else "B"), first)
    assert str(KeyText("0123456789ab", "s")) == "dvpt_0123456789ab_s"
