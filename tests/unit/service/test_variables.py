import pytest

from service.settings import Settings
from service.variables import discovered, given, unknown

NAMES = Settings.model_fields
KUBERNETES = {
    "DVPT_SERVICE_HOST": "10.96.0.12",
    "DVPT_SERVICE_PORT": "8000",
    "DVPT_SERVICE_PORT_HTTP": "8000",
    "DVPT_PORT": "tcp://10.96.0.12:8000",
    "DVPT_PORT_8000_TCP": "tcp://10.96.0.12:8000",
    "DVPT_PORT_8000_TCP_PROTO": "tcp",
    "DVPT_PORT_8000_TCP_PORT": "8000",
    "DVPT_PORT_8000_TCP_ADDR": "10.96.0.12",
}
"""What a container gets in a namespace with a service called dvpt; by Kubernetes' documentation."""


def of_service(name: str) -> dict[str, str]:
    return {key.replace("DVPT", name, 1): value for key, value in KUBERNETES.items()}


@pytest.mark.parametrize("service", ["DVPT", "DVPT_SERVE", "DVPT_GRAFANA_2"])
def test_what_an_orchestrator_tells_of_a_service_is_no_setting(service: str) -> None:
    environ = of_service(service)

    assert discovered(environ) == sorted(environ)
    assert given(NAMES, environ) == {}
    assert unknown(NAMES, environ) == []


@pytest.mark.parametrize("address", ["tcp://[fd00::1]:8000", "udp://10.0.0.1:53", " tcp://dvpt:80\n"])
def test_addresses_of_every_kind_are_recognized(address: str) -> None:
    assert discovered({"DVPT_PORT": address}) == ["DVPT_PORT"]


@pytest.mark.parametrize("text", ["80a", "tcp:/10.96.0.12:8000", "http://10.96.0.12:8000", "tcp://"])
def test_a_port_that_is_a_typing_error_is_still_a_setting(text: str) -> None:
    assert given(NAMES, {"DVPT_PORT": text}) == {"port": text}
    assert discovered({"DVPT_PORT": text}) == []


@pytest.mark.parametrize("name", ["DVPT_PROT", "DVPT_SERVICE_HOSTT", "DVPT_PORT_8000", "DVPT_SERVICE"])
def test_other_names_are_unknown(name: str) -> None:
    assert unknown(
        NAMES, {name: "1", "DVPT_PORT": "1", "DVPT_DATA_ROOT": "/d", "DVPT_KEY": "k", "HOME": "/"}
    ) == [name]


def test_white_space_is_no_part_of_a_value_and_empty_gives_nothing() -> None:
    environ = {"DVPT_STORE": "/store\n", "DVPT_BACKBONE": "", "DVPT_WEIGHTS": " \n", "dvpt_max_batch": "4"}

    assert given(NAMES, environ) == {"store": "/store", "max_batch": "4"}
