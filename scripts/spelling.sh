#!/usr/bin/env bash
# Checks the spelling of all files with typos (https://github.com/crate-ci/typos), which knows common misspellings and
# does not report unknown words. .config/typos.toml has the project's dictionary. If typos is not installed, the script
# says so and checks nothing.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH="$PATH:$PWD/target/tools/bin"

if command -v typos >/dev/null; then
    exec typos --config .config/typos.toml --format brief
fi
echo "skipped: typos is not installed (\`pip install typos\`, or \`cargo install --locked typos-cli\`)"
