from hypothesis import given
from hypothesis import strategies as st

from adapters.store.page import Page
from adapters.store.task_record import TaskRecord
from service.residents.task_table import TaskTable

NAMES = st.text("abz", min_size=1, max_size=3)


def table_of(*names: str) -> TaskTable:
    table = TaskTable()
    for name in names:
        table.put(TaskRecord(name, (1,), {}))
    return table


@given(
    st.lists(st.tuples(st.booleans(), NAMES, st.integers(0, 3)), max_size=40),
    st.builds(Page, st.integers(1, 5), NAMES | st.just(""), NAMES | st.just(""), NAMES | st.just("")),
)
def test_whatever_comes_and_goes_it_is_listed_by_name(steps: list[tuple[bool, str, int]], page: Page) -> None:
    table, expected = TaskTable(), dict[str, TaskRecord]()
    for comes, name, versions in steps:
        if comes:
            expected[name] = TaskRecord(name, tuple(range(1, 1 + versions)), {})
            table.put(expected[name])
        elif name in expected:
            del expected[name]
            table.remove(name)
        assert (list(table), len(table)) == (sorted(expected), len(expected))
        assert table.versions == sum(len(record.versions) for record in expected.values())
    wanted = [
        expected[name]
        for name in sorted(expected)
        if name > page.after and name.startswith(page.prefix) and page.search in name
    ]
    assert table.page(page) == wanted[: page.limit]


def test_pages_follow_each_other() -> None:
    table = table_of(*(f"task{number:02d}" for number in range(25)))
    seen, after = list[str](), ""
    while page := table.page(Page(10, after=after)):
        seen += [record.name for record in page]
        after = seen[-1]
    assert seen == list(table)
