#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Writes requirements/*.lock from *.in: exact versions with hashes. PyTorch is left out (uv.toml says what it needs),
# because the right wheel depends on the machine; tools/setup.sh installs it by version.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
tool=$(mktemp -d)
trap 'rm -rf "$tool"' EXIT
.venv/bin/python -m venv "$tool"
"$tool/bin/pip" install --quiet --disable-pip-version-check uv
for name in base dev ros export panel gym docs; do
    "$tool/bin/uv" pip compile --quiet --generate-hashes --python-version 3.11 --no-annotate --no-header \
        --no-emit-index-url --no-emit-package torch "requirements/$name.in" -o "requirements/$name.lock"
done
