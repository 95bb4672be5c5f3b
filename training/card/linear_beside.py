"""The linear head beside what was trained, in words: for the summary and the card."""

from training.card.findings import Findings

LINEAR = "linear"


def comparison(findings: Findings, method: str) -> str | None:
    """The linear head's accuracy, and by how many points the method differs; None where there is none."""
    linear, lead = findings.linear, findings.lead
    if linear is None or lead is None:
        return None
    # In points above or below, so that nobody has to read a sign.
    sign = -1 if lead.difference < 0 else 1
    low, high = sorted(100 * sign * end for end in (lead.interval.low, lead.interval.high))
    points = f"{100 * sign * lead.difference:.1f}"
    where = f"{points} points {'above' if sign > 0 else 'below'} it" if points != "0.0" else "level with it"
    return (
        f"linear head on the same features: {linear.predictions.accuracy:.4f}; {method} is {where} "
        f"(95 % {low:.1f} to {high:.1f}, same pictures)"
    )


def advice(findings: Findings, method: str, values: int) -> str | None:
    """What to try where the method, of so many `values`, is not above the linear head beyond chance."""
    linear, lead = findings.linear, findings.lead
    if linear is None or lead is None or lead.interval.low > 0 or method == LINEAR:
        return None
    smaller = f"smaller ({linear.values:,} values) and " if linear.values < values else ""
    if lead.interval.high < 0:
        return f"--method {LINEAR} is {smaller}better here"
    return f"{method} is not above it beyond chance: --method {LINEAR} is {smaller}as good here"
