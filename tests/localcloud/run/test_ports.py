"""The ports of services."""

from localcloud.run.ports import PortBook


def test_a_service_gets_the_same_port_on_the_next_run(tmp_path):
    with PortBook(tmp_path / "new" / "ports.json").open("gateway") as first:
        port = first.getsockname()[1]
    with PortBook(tmp_path / "new" / "ports.json").open("gateway") as again:
        assert again.getsockname()[1] == port


def test_a_port_that_was_taken_meanwhile_is_replaced_and_the_new_one_remembered(tmp_path):
    book = tmp_path / "ports.json"
    with PortBook(book).open("gateway") as taken:
        with PortBook(book).open("gateway") as other:
            port = other.getsockname()[1]
            assert port != taken.getsockname()[1]
        with PortBook(book).open("gateway") as again:
            assert again.getsockname()[1] == port
