#!/usr/bin/env bash
# Environment → one `cheops check --since`; its exit code is the decision's (0 allow, 3 deny, 4 defer, 2 bad input).
#   CHEOPS_SITES        NAME=PATH, one a line        CHEOPS_SINCE   the revision to compare with
#   CHEOPS_POLICY_FILE  a policy file, or nothing    CHEOPS_OUTPUT  github (default), text, json, sarif
set -euo pipefail
arguments=(--since "${CHEOPS_SINCE:?the revision to compare with}" -o "${CHEOPS_OUTPUT:-github}")
while IFS= read -r site; do
  if [[ -n "${site// /}" ]]; then arguments+=(--site "$site"); fi
done <<<"${CHEOPS_SITES:?NAME=PATH, one a line}"
if [[ -n "${CHEOPS_POLICY_FILE:-}" ]]; then arguments+=(--policy "$CHEOPS_POLICY_FILE"); fi
exec cheops check "${arguments[@]}"
