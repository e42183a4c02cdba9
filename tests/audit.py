"""``make check`` asks the database of known vulnerabilities (osv.dev) about every locked version.

What pip-audit does, without what pip-audit brings along. Where the database cannot be reached, one line says so and
nothing fails: a check that needs the internet must not stop anybody who has none.
"""

from __future__ import annotations

import json
import re
import sys
import urllib.request
from pathlib import Path

URL = "https://api.osv.dev/v1/querybatch"
PATIENCE_S = 10
LOCKED = re.compile(r"^([A-Za-z0-9_.-]+)==([^\s;\\]+)", re.MULTILINE)
LOCKS = (Path("requirements.txt"), Path("requirements-dev.txt"))


def locked(files: tuple[Path, ...] = LOCKS) -> list[tuple[str, str]]:
    """Name and version of everything that is installed."""
    return sorted({found for file in files for found in LOCKED.findall(file.read_text(encoding="utf-8"))})


def known(packages: list[tuple[str, str]], url: str = URL) -> dict[str, list[str]]:
    """Ids of what is known about each package that something is known about. OSError when nobody answers."""
    queries = [{"package": {"name": name, "ecosystem": "PyPI"}, "version": version} for name, version in packages]
    body = json.dumps({"queries": queries}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
        results = json.load(answer)["results"]
    found = zip(packages, results, strict=True)
    return {
        f"{name} {version}": [one["id"] for one in result["vulns"]]
        for (name, version), result in found
        if result.get("vulns")
    }


def main(url: str = URL) -> int:
    """One line for all, or one for each package that something is known about; 1 then."""
    packages = locked()
    try:
        found = known(packages, url)
    except (OSError, ValueError, KeyError) as error:
        print(f"audit skipped: the database of vulnerabilities cannot be reached ({type(error).__name__})")
        return 0
    for package, ids in found.items():
        print(f"audit: {package}: {', '.join(ids)} (see https://osv.dev/{ids[0]})")
    if not found:
        print(f"audit: nothing is known against {len(packages)} locked packages")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
