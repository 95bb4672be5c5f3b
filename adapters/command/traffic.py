"""`dvpt-adapters traffic`: which part of a task's requests a label answers, seen or unseen."""

from argparse import ArgumentTypeError, Namespace
from typing import TypeVar

from pydantic import ValidationError

from adapters.command.subcommands import Subcommands
from adapters.config import StrictModel
from adapters.store.label_rules import LabelTraffic, PromoteRule, RollBackRule
from adapters.store.store import Store
from adapters.store.traffic_rules import set_traffic

Rule = TypeVar("Rule", bound=StrictModel)


def add_command(commands: Subcommands) -> None:
    """Add `traffic`."""
    parser = commands.add(
        "traffic", _traffic, "show what is ruled for the traffic of a label, or change it", "set_traffic"
    )
    parser.add_argument("task")
    parser.add_argument("label")
    parser.add_argument(
        "--off", action="store_true", help="rule nothing any more: 'stable' answers all requests"
    )
    parser.add_argument(
        "--canary", type=_share, metavar="SHARE", help="part of the plain requests that the label answers"
    )
    parser.add_argument(
        "--shadow",
        type=_share,
        metavar="SHARE",
        help="part of the plain requests that it answers unseen after 'stable', to see how far they agree",
    )
    parser.add_argument(
        "--promote",
        type=_promote,
        metavar="PART/N",
        help="move 'stable' to the label's version once PART of the last N pictures got the answer of "
        "'stable' (0.99/1000)",
    )
    parser.add_argument(
        "--roll-back",
        type=_roll_back,
        metavar="PART/N",
        help="set both shares to 0 once PART of the label's last N requests failed (0.05/200)",
    )


def _traffic(store: Store, options: Namespace) -> int:
    """Change what the options say and leave the rest; print what is ruled then."""
    given = {
        "canary_share": options.canary,
        "shadow_share": options.shadow,
        "promote": options.promote,
        "roll_back": options.roll_back,
    }
    changes = {name: value for name, value in given.items() if value is not None}
    label = store.label(options.task, options.label)
    traffic = label.rules.traffic if label.rules else None
    if options.off or changes:
        traffic = None if options.off else (traffic or LabelTraffic()).model_copy(update=changes)
        set_traffic(store, options.task, options.label, traffic)
    print(f"{options.task}: {options.label} = version {label.version}, {_described(traffic)}")
    return 0


def _described(traffic: LabelTraffic | None) -> str:
    if traffic is None:
        return "no traffic of its own"
    parts = [f"canary {traffic.canary_share:g}", f"shadow {traffic.shadow_share:g}"]
    if traffic.promote is not None:
        parts.append(f"promote at {traffic.promote.agreement:g} of {traffic.promote.over} pictures")
    if traffic.roll_back is not None:
        parts.append(f"roll back at {traffic.roll_back.errors:g} of {traffic.roll_back.over} requests")
    return ", ".join(parts)


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise ArgumentTypeError(f"{text!r} is no share from 0 to 1")
    return share


def _promote(text: str) -> PromoteRule:
    return _rule(PromoteRule, "agreement", text)


def _roll_back(text: str) -> RollBackRule:
    return _rule(RollBackRule, "errors", text)


def _rule(rule: type[Rule], part: str, text: str) -> Rule:
    share, _, over = text.partition("/")
    try:
        return rule.model_validate({part: float(share), "over": int(over)})
    except (ValueError, ValidationError) as error:
        raise ArgumentTypeError(f"{text!r} is no rule such as 0.99/1000") from error
