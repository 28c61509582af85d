#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs a comparison with the Python of build/venv, else with a python3 that has Stim and PyMatching; exits with 77,
# which ctest reports as skipped, when there is neither.
# usage: python_test.sh PYTHON SCRIPT
set -u
for python in "$1" python3; do
  if "$python" -c 'import numpy, pymatching, stim' 2>/dev/null; then
    exec "$python" "$2"
  fi
done
echo "SKIPPED: $2 needs a Python with Stim and PyMatching; ./run test prepares one in build/venv" >&2
exit 77
