"""Which `DVPT_*` variables are settings, which an orchestrator set, and which are neither."""

import re
from collections.abc import Collection, Mapping

from adapters.environment import variable

ENV_PREFIX = "DVPT_"
OTHERS = frozenset({"DVPT_DATA_ROOT", "DVPT_KEY", "DVPT_URL"})
"""Variables of the project that are no settings of the service."""

# What Kubernetes sets in every container for a service called dvpt or dvpt-…, and Docker for a linked one:
# https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
DISCOVERY = re.compile(
    r"DVPT(_[A-Z0-9_]+)?_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_\d+_(TCP|UDP|SCTP)(_(ADDR|PORT|PROTO))?)"
)
PORT = re.compile(r"DVPT(_[A-Z0-9_]+)?_PORT")
ADDRESS = re.compile(r"(tcp|udp|sctp)://(\[[0-9a-fA-F:.]+\]|[^/\s:]+):\d+")


def given(settings: Collection[str], environ: Mapping[str, str]) -> dict[str, str]:
    """The settings that variables give, as text; an empty variable gives none."""
    by_name = {name.upper(): name for name in environ if not is_discovery(name, environ[name])}
    found = {name: by_name.get(f"{ENV_PREFIX}{name}".upper()) for name in settings}
    texts = {name: variable(key, environ) for name, key in found.items() if key is not None}
    return {name: text for name, text in texts.items() if text is not None}


def unknown(settings: Collection[str], environ: Mapping[str, str]) -> list[str]:
    """Variables that name no setting: a typing error, or another program's."""
    known = {f"{ENV_PREFIX}{name}".upper() for name in settings} | OTHERS
    return sorted(
        name
        for name in environ
        if name.startswith(ENV_PREFIX) and name.upper() not in known and not is_discovery(name, environ[name])
    )


def discovered(environ: Mapping[str, str]) -> list[str]:
    """Variables that an orchestrator set to tell where a service is."""
    return sorted(name for name in environ if is_discovery(name, environ[name]))


def is_discovery(name: str, value: str) -> bool:
    """Whether a variable tells where a service is; `DVPT_PORT` is one only with an address as its value."""
    if DISCOVERY.fullmatch(name):
        return True
    return bool(PORT.fullmatch(name) and ADDRESS.fullmatch(value.strip()))
