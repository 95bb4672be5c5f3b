from training.card.markdown import table


def test_tables_are_markdown() -> None:
    assert table(("a", "b|c"), [("1", "2")]) == "| a | b\\|c |\n| --- | --- |\n| 1 | 2 |"
