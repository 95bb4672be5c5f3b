import pytest

from training.data.readers.class_order import in_order


@pytest.mark.parametrize(
    "order",
    [
        ("2", "9", "10"),
        ("-10", "-2", "+3", "4"),
        ("1.0", "2.0", "2.50", "10.0"),
        ("01", "1", "002", "02", "2", "3"),
        ("9007199254740992", "9007199254740993"),
        ("10", "9", "wren"),
        ("1", "nan"),
        ("1_0", "9"),
        (),
    ],
)
def test_numbers_are_ordered_by_value_and_words_by_letters(order: tuple[str, ...]) -> None:
    assert in_order(list(order)) == in_order(list(reversed(order))) == order
