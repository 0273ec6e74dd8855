"""Runs `retrial analyze` and `zcat` over the same files by turns, `retrial replay` over what `analyze`
wrote, and prints what they cost.

CPU is user + system time of the process and its threads, the least of three runs each; memory is the
peak of the resident set, the most of them. With `--against CORPUS`, a large corpus is held against a
smaller one: it is run once, and its CPU per event and peak memory are printed beside the smaller one's.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

ROUNDS = 3


def run(command, stdin=None):
    """CPU seconds, wall seconds and peak memory in MB of one command."""
    started = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stdin=stdin)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - started
    if os.waitstatus_to_exitcode(status) not in (0, 3):
        sys.exit(f"{command[0]} failed")
    return usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024


def least(measurements):
    return min(measurements, key=lambda measurement: measurement[0])


class Bench:
    """One corpus, and where its output goes."""

    def __init__(self, program, corpus, out):
        self.program, self.corpus, self.out = program, corpus, out
        self.logs = sorted(str(path) for path in pathlib.Path(corpus).rglob("*.json.gz"))
        self.stored = sum(os.path.getsize(path) for path in self.logs)
        self.truth = json.loads(pathlib.Path(corpus, "truth.json").read_text())
        self.events = self.truth["records"]
        self.names = pathlib.Path(out).with_suffix(".files")
        self.names.write_text("\0".join(self.logs))

    def zcat(self):
        with open(self.names, "rb") as listed:
            return run(["xargs", "-0", "zcat"], stdin=listed)

    def analyze(self, *more):
        shutil.rmtree(self.out, ignore_errors=True)
        command = [self.program, "analyze", self.corpus, "--iam", f"{self.corpus}/iam", "--out", self.out, "--quiet"]
        return run([*command, *more])

    def replay(self):
        return run([self.program, "replay", "--out", self.out, "--iam", f"{self.corpus}/iam"])

    def written(self):
        return sum(path.stat().st_size for path in pathlib.Path(self.out).rglob("*.parquet"))


def in_full(bench):
    zcat, analyze, replay = [], [], []
    for _ in range(ROUNDS):
        zcat.append(bench.zcat())
        analyze.append(bench.analyze())
        replay.append(bench.replay())
    single = bench.analyze("--threads", "1")
    events, stored = bench.events, bench.stored
    decompressed = bench.truth["uncompressed_bytes"]
    cpu, wall, _ = least(analyze)
    zcat_cpu, zcat_wall, _ = least(zcat)
    replay_cpu, replay_wall, _ = least(replay)
    memory = max(peak for _, _, peak in analyze)
    return [
        ("events", f"{events:,} in {len(bench.logs):,} files"),
        ("bytes per event", f"{decompressed / events:.0f} of JSON, {stored / events:.0f} gzipped (ratio {decompressed / stored:.1f})"),
        ("CPU, analyze", f"{cpu:.2f} s"),
        ("CPU, zcat", f"{zcat_cpu:.2f} s"),
        ("CPU, analyze / zcat", f"{cpu / zcat_cpu:.2f}"),
        ("CPU, analyze with one thread / zcat", f"{single[0] / zcat_cpu:.2f}"),
        ("wall, analyze / zcat", f"{wall / zcat_wall:.2f}"),
        ("wall / own CPU", f"{wall / cpu:.2f} on {os.cpu_count()} cores"),
        ("events per second of wall", f"{events / wall:,.0f}"),
        ("peak memory", f"{memory:.0f} MB"),
        ("CPU, replay of the Parquet / analyze", f"{replay_cpu / cpu:.2f}"),
        ("wall, replay of the Parquet / analyze", f"{replay_wall / wall:.2f}"),
        ("peak memory, replay", f"{max(peak for _, _, peak in replay):.0f} MB"),
        ("Parquet bytes per event", f"{bench.written() / events:.0f}"),
    ]


def against(bench, smaller):
    small = [smaller.analyze() for _ in range(ROUNDS)]
    zcat = bench.zcat()
    cpu, wall, memory = bench.analyze()
    per_event, small_per_event = cpu / bench.events, least(small)[0] / smaller.events
    small_memory = max(peak for _, _, peak in small)
    return [
        ("events", f"{bench.events:,} in {len(bench.logs):,} files, against {smaller.events:,} in {len(smaller.logs):,}"),
        ("principals", f"{bench.truth['principals']:,}"),
        ("S3 keys that occur once", f"{bench.truth['object_keys_that_occur_once']:,}"),
        ("CPU per event", f"{per_event * 1e6:.2f} µs, against {small_per_event * 1e6:.2f} µs"),
        ("CPU per event, ratio", f"{per_event / small_per_event:.3f} (goal: at most 1.10)"),
        ("peak memory", f"{memory:.0f} MB, against {small_memory:.0f} MB (goal: at most 256 MB)"),
        ("CPU, analyze / zcat", f"{cpu / zcat[0]:.2f}"),
        ("wall, analyze", f"{wall:.1f} s"),
        ("events per second of wall", f"{bench.events / wall:,.0f}"),
        ("Parquet bytes per event", f"{bench.written() / bench.events:.0f}"),
    ]


def main():
    program, corpus, out, *more = sys.argv[1:]
    bench = Bench(program, corpus, out)
    match more:
        case []:
            rows = in_full(bench)
        case ["--against", smaller]:
            rows = against(bench, Bench(program, smaller, f"{out}-smaller"))
        case _:
            sys.exit("usage: measure.py PROGRAM CORPUS OUT [--against CORPUS]")
    for name, value in rows:
        print(f"{name:<38}{value}")


main()
