# SPDX-License-Identifier: Apache-2.0
"""`hiors doctor`: says what is missing on this machine and how to get it. Changes nothing."""

import json
from collections.abc import Callable, Sequence

from hiors import checks, machine
from hiors.checks import Check, Finding
from hiors.options import Parser

CHECKS: tuple[Check, ...] = (
    machine.python,
    machine.tools,
    machine.disk,
    machine.gpu,
    machine.rendering,
    checks.environment,
    checks.packages,
    checks.ros,
    checks.workspace,
    checks.transport,
    machine.ports,
)


def main(argv: Sequence[str]) -> int:
    """Print the findings; 0 when nothing that is needed is missing, else 1."""
    parser = Parser(prog="hiors doctor", description=__doc__)
    parser.add_argument("--json", action="store_true", help="findings as JSON")
    options = parser.parse_args(argv)
    findings = examine(CHECKS)
    print(as_json(findings) if options.json else as_text(findings))
    return 0 if all(f.ok or not f.needed for f in findings) else 1


def examine(all_checks: Sequence[Check]) -> list[Finding]:
    """Run the checks; one that fails itself is a finding too."""
    return [_guarded(check) for check in all_checks]


def as_text(findings: Sequence[Finding]) -> str:
    """Return one line a finding, and below it what to do."""
    rows = []
    for finding in findings:
        sign = "ok  " if finding.ok else ("MISS" if finding.needed else "note")
        rows.append(f"{sign}  {finding.name:<12} {finding.text}")
        if finding.remedy and not finding.ok:
            rows.append(f"{'':<18} -> {finding.remedy}")
    missing = sum(not f.ok and f.needed for f in findings)
    said = f"{missing} thing{'s are' if missing > 1 else ' is'} missing."
    rows.append(said if missing else "Everything needed is here.")
    return "\n".join(rows)


def as_json(findings: Sequence[Finding]) -> str:
    """Return the findings as a JSON list."""
    keys = ("name", "ok", "needed", "text", "remedy")
    return json.dumps([{k: getattr(f, k) for k in keys} for f in findings], indent=2)


def _guarded(check: Callable[[], Finding]) -> Finding:
    try:
        return check()
    except Exception as error:  # noqa: BLE001 - the doctor must get to the end of the list
        text = f"could not be examined: {type(error).__name__}: {error}"
        return Finding(name=check.__name__, ok=False, text=text, remedy="run `make setup`")
