"""Runs `retrial analyze` and what it is held against over the same files by turns, and prints what each
costs as ratios, each with its target.

CPU is user + system time of the process and its threads, the least of three runs each; memory is the
peak of the resident set, the most of them. With `--against CORPUS`, a large corpus is held against a
smaller one: it is run once, and its CPU per event and peak memory are printed beside the smaller one's.

Peers run from the Python that `--peers` names (`deflate`, which binds libdeflate; `duckdb`;
`trailscraper`). Without one, or without one of them, its lines say so.
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

ROUNDS = 3
# What start-up is measured with, and how often: the median counts.
STARTS = 11

# Each prints nothing and costs what it costs; the paths are its arguments.
NOTHING = "import deflate"
LIBDEFLATE = """
import deflate, sys
for name in open(sys.argv[1]).read().split("\\0"):
    with open(name, "rb") as file:
        deflate.gzip_decompress(file.read())
"""
TEXTS = """eventVersion eventTime eventSource eventName awsRegion sourceIPAddress userAgent errorCode
    errorMessage requestID eventID eventType recipientAccountId eventCategory sharedEventID vpcEndpointId"""
JSONS = "userIdentity requestParameters responseElements additionalEventData resources tlsDetails"
BOOLEANS = "readOnly managementEvent"
DUCKDB = f"""
import duckdb, sys
fields = [(name, "VARCHAR") for name in {TEXTS.split()!r}]
fields += [(name, "JSON") for name in {JSONS.split()!r}]
fields += [(name, "BOOLEAN") for name in {BOOLEANS.split()!r}]
record = "STRUCT(" + ", ".join(f'"{{name}}" {{kind}}' for name, kind in fields) + ")[]"
connection = duckdb.connect()
connection.execute("SET preserve_insertion_order = false")
connection.execute(
    f'''COPY (SELECT unnest("Records", recursive := true) FROM read_json('{{sys.argv[1]}}/AWSLogs/**/*.json.gz',
        columns = {{{{Records: '{{record}}'}}}}, maximum_object_size = 33554432))
        TO '{{sys.argv[2]}}' (FORMAT parquet, COMPRESSION zstd)'''
)
"""


def run(command, stdin=None, stdout=subprocess.DEVNULL):
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

    def part(self, files):
        """The first log files in the order of their delivery, as a corpus of its own."""
        whole = len(self.logs)
        folder = pathlib.Path(f"{self.corpus}-first-{files}")
        if not folder.joinpath("truth.json").exists():
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(pathlib.Path(self.corpus, "iam"), folder / "iam")
            for log in sorted(self.logs, key=lambda log: os.path.basename(log).split("_")[3])[:files]:
                to = folder / pathlib.Path(log).relative_to(self.corpus)
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(log, to)
            truth = {"records": self.events * files // whole}
            folder.joinpath("truth.json").write_text(json.dumps(truth))
        return Bench(self.program, str(folder), f"{self.out}-first")

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


class Peers:
    """Other programs, where they are installed."""

    def __init__(self, python):
        self.python = python

    def has(self, module):
        if self.python is None:
            return False
        command = [self.python, "-c", f"import {module}"]
        return subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode == 0

    def script(self, text, *arguments):
        return run([self.python, "-c", text, *map(str, arguments)])

    def libdeflate(self, bench):
        start = least([self.script(NOTHING) for _ in range(ROUNDS)])[0]
        return least([self.script(LIBDEFLATE, bench.names) for _ in range(ROUNDS)])[0] - start

    def duckdb(self, bench):
        out = f"{bench.out}.duckdb.parquet"
        return self.script(DUCKDB, bench.corpus, out)[0]

    def trailscraper(self, bench):
        program = str(pathlib.Path(self.python).with_name("trailscraper"))
        selected = pathlib.Path(f"{bench.out}.trailscraper.json")
        command = [program, "select", "--log-dir", f"{bench.corpus}/AWSLogs", "--from", "2000-01-01", "--to", "2100-01-01"]
        with open(selected, "wb") as out:
            select = run(command, stdout=out)[0]
        with open(selected, "rb") as records:
            return select + run([program, "generate"], stdin=records)[0]


def start_up(program, bench):
    """Median wall milliseconds of `--version` and of an analysis of one log file."""
    sample = pathlib.Path("sample-logs")
    one = next(iter(sorted(sample.rglob("*.json.gz"))))
    out = f"{bench.out}-one"

    def median(command):
        walls = []
        for _ in range(STARTS):
            shutil.rmtree(out, ignore_errors=True)
            walls.append(run(command)[1] * 1000)
        return sorted(walls)[STARTS // 2]

    analyze = [program, "analyze", str(one), "--iam", str(sample / "iam"), "--out", out, "--quiet"]
    return median([program, "--version"]), median(analyze)


def in_full(bench, peers):
    zcat, analyze, replay = [], [], []
    for _ in range(ROUNDS):
        zcat.append(bench.zcat())
        analyze.append(bench.analyze())
        replay.append(bench.replay())
    written = bench.written()
    single = bench.analyze("--threads", "1")
    events, stored = bench.events, bench.stored
    decompressed = bench.truth["uncompressed_bytes"]
    cpu, wall, _ = least(analyze)
    zcat_cpu, zcat_wall, _ = least(zcat)
    replay_cpu, replay_wall, _ = least(replay)
    memory = max(peak for _, _, peak in analyze)
    version, one = start_up(bench.program, bench)
    return [
        ("events", f"{events:,} in {len(bench.logs):,} files", ""),
        ("bytes per event", f"{decompressed / events:.0f} of JSON, {stored / events:.0f} gzipped (ratio {decompressed / stored:.1f})", ""),
        ("CPU, analyze", f"{cpu:.2f} s", ""),
        ("CPU, zcat", f"{zcat_cpu:.2f} s", ""),
        ("CPU, analyze / zcat", f"{cpu / zcat_cpu:.2f}", "0.6"),
        ("CPU, analyze with one thread / zcat", f"{single[0] / zcat_cpu:.2f}", ""),
        *against_libdeflate(bench, peers, cpu),
        ("wall, analyze / zcat", f"{wall / zcat_wall:.2f}", ""),
        ("wall / own CPU", f"{wall / cpu:.2f} on {os.cpu_count()} cores", "0.6"),
        ("events per second of wall", f"{events / wall:,.0f}", ""),
        *against_peers(bench, peers, cpu),
        ("peak memory", f"{memory:.0f} MB", "200"),
        ("CPU, replay of the Parquet / analyze", f"{replay_cpu / cpu:.2f}", ""),
        ("wall, replay of the Parquet / analyze", f"{replay_wall / wall:.2f}", ""),
        ("peak memory, replay", f"{max(peak for _, _, peak in replay):.0f} MB", ""),
        ("Parquet bytes per event", f"{written / events:.0f}", "100"),
        ("start-up, --version", f"{version:.0f} ms", "10"),
        ("start-up, analyze of one file", f"{one:.0f} ms", "50"),
    ]


def against_libdeflate(bench, peers, cpu):
    name = "CPU, analyze / libdeflate alone"
    if not peers.has("deflate"):
        return [(name, "not measured: no Python module `deflate`", "6")]
    return [(name, f"{cpu / peers.libdeflate(bench):.1f}", "6")]


def against_peers(bench, peers, cpu):
    """Slow ones, on a part of the files; the program's own CPU is of the same part."""
    rows = []
    files = len(bench.logs)
    tenth = bench.part(max(files // 10, 1))
    own = least([tenth.analyze() for _ in range(ROUNDS)])[0]
    ratio = (own / tenth.events) / (cpu / bench.events)
    rows.append((f"CPU per event, {tenth.events:,} / {bench.events:,}", f"{ratio:.2f}", "0.9 to 1.1"))
    name = f"CPU, analyze / DuckDB, {tenth.events:,} events"
    if peers.has("duckdb"):
        rows.append((name, f"{own / peers.duckdb(tenth):.3f}", "0.25"))
    else:
        rows.append((name, "not measured: no Python module `duckdb`", "0.25"))
    few = bench.part(max(files * 15_000 // bench.events, 1))
    name = f"CPU, analyze / trailscraper, {few.events:,} events"
    if peers.has("trailscraper"):
        own = least([few.analyze() for _ in range(ROUNDS)])[0]
        rows.append((name, f"{own / peers.trailscraper(few):.3f}", "0.025"))
    else:
        rows.append((name, "not measured: no Python module `trailscraper`", "0.025"))
    return rows


def against(bench, smaller):
    small = [smaller.analyze() for _ in range(ROUNDS)]
    zcat = bench.zcat()
    cpu, wall, memory = bench.analyze()
    per_event, small_per_event = cpu / bench.events, least(small)[0] / smaller.events
    small_memory = max(peak for _, _, peak in small)
    return [
        ("events", f"{bench.events:,} in {len(bench.logs):,} files, against {smaller.events:,} in {len(smaller.logs):,}", ""),
        ("principals", f"{bench.truth['principals']:,}", ""),
        ("S3 keys that occur once", f"{bench.truth['object_keys_that_occur_once']:,}", ""),
        ("CPU per event", f"{per_event * 1e6:.2f} µs, against {small_per_event * 1e6:.2f} µs", ""),
        ("CPU per event, ratio", f"{per_event / small_per_event:.3f}", "1.10"),
        ("peak memory", f"{memory:.0f} MB, against {small_memory:.0f} MB", "256"),
        ("CPU, analyze / zcat", f"{cpu / zcat[0]:.2f}", "0.6"),
        ("wall, analyze", f"{wall:.1f} s", ""),
        ("events per second of wall", f"{bench.events / wall:,.0f}", ""),
        ("Parquet bytes per event", f"{bench.written() / bench.events:.0f}", "100"),
    ]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("corpus")
    parser.add_argument("out")
    parser.add_argument("--against")
    parser.add_argument("--peers", help="a Python that has the peers")
    asked = parser.parse_args()
    bench = Bench(asked.program, asked.corpus, asked.out)
    if asked.against:
        rows = against(bench, Bench(asked.program, asked.against, f"{asked.out}-smaller"))
    else:
        rows = in_full(bench, Peers(asked.peers))
    for name, value, target in rows:
        goal = f" (target: {target})" if target else ""
        print(f"{name:<44}{value}{goal}")


main()
