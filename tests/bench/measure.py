"""Runs `retrial analyze` and `zcat` over the same files by turns and prints what they cost.

CPU is user + system time of the process and its threads, the least of three runs each; memory is the
peak of the resident set.
"""

import json
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import time

ROUNDS = 3


def run(command, stdout=subprocess.DEVNULL, stdin=None):
    """CPU seconds, wall seconds and peak memory in MB of one command."""
    started = time.monotonic()
    process = subprocess.Popen(command, stdout=stdout, stdin=stdin)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - started
    if os.waitstatus_to_exitcode(status) not in (0, 3):
        sys.exit(f"{command[0]} failed")
    return usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024


def least(measurements):
    return min(measurements, key=lambda measurement: measurement[0])


def main():
    program, corpus, out = sys.argv[1:4]
    logs = sorted(str(path) for path in pathlib.Path(corpus).rglob("*.json.gz"))
    stored = sum(os.path.getsize(path) for path in logs)
    events = json.loads(pathlib.Path(corpus, "truth.json").read_text())["records"]
    names = pathlib.Path(out).with_suffix(".files")
    names.write_text("\0".join(logs))

    zcat, analyze, single = [], [], []
    for _ in range(ROUNDS):
        with open(names, "rb") as listed:
            zcat.append(run(["xargs", "-0", "zcat"], stdin=listed))
        shutil.rmtree(out, ignore_errors=True)
        analyze.append(run([program, "analyze", corpus, "--iam", f"{corpus}/iam", "--out", out, "--quiet"]))
    shutil.rmtree(out, ignore_errors=True)
    single.append(run([program, "analyze", corpus, "--iam", f"{corpus}/iam", "--out", out, "--quiet", "--threads", "1"]))
    parquet = sum(path.stat().st_size for path in pathlib.Path(out).rglob("*.parquet"))
    decompressed = int(subprocess.run(f"xargs -0 zcat < {names} | wc -c", shell=True, capture_output=True, text=True, check=True).stdout)

    cpu, wall, memory = least(analyze)
    zcat_cpu, zcat_wall, _ = least(zcat)
    rows = [
        ("events", f"{events:,} in {len(logs):,} files"),
        ("bytes per event", f"{decompressed / events:.0f} of JSON, {stored / events:.0f} gzipped (ratio {decompressed / stored:.1f})"),
        ("CPU, analyze", f"{cpu:.2f} s"),
        ("CPU, zcat", f"{zcat_cpu:.2f} s"),
        ("CPU, analyze / zcat", f"{cpu / zcat_cpu:.2f}"),
        ("CPU, analyze with one thread / zcat", f"{single[0][0] / zcat_cpu:.2f}"),
        ("wall, analyze / zcat", f"{wall / zcat_wall:.2f}"),
        ("wall / own CPU", f"{wall / cpu:.2f} on {os.cpu_count()} cores"),
        ("events per second of wall", f"{events / wall:,.0f}"),
        ("peak memory", f"{memory:.0f} MB"),
        ("Parquet bytes per event", f"{parquet / events:.0f}"),
    ]
    for name, value in rows:
        print(f"{name:<38}{value}")


main()
