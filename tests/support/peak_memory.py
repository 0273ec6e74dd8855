"""Runs a command and says on standard error, last, how much memory it had at its peak."""

import resource
import subprocess
import sys

status = subprocess.run(sys.argv[1:], check=False).returncode
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
print(f"PEAK {peak}", file=sys.stderr)
sys.exit(status)
