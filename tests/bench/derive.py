"""Runs `retrial analyze` over a corpus with and without the tables of the whole window, by turns, and prints what
they add, each ratio with its target.

The snapshot is the corpus's own, with AWS's large managed policies attached to 500 of its users and roles, some of
each account; their documents are the copies that the program has compiled in. CPU is user + system time of the
process and its threads, the least of some runs; memory is the peak of the resident set, the most of them.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROUNDS = 3
PRINCIPALS = 500
POLICIES = ["AmazonSageMakerFullAccess", "PowerUserAccess", "AdministratorAccess"]
MOST_CPU = 1.25
MOST_MEMORY = 256


def with_large_policies(iam, made):
    """Copies a snapshot with the policies attached; gives how many principals have one."""
    shutil.rmtree(made, ignore_errors=True)
    shutil.copytree(iam, made)
    pages = sorted(made.rglob("authorization-details*.json"))
    attached = 0
    for number, path in enumerate(pages, 1):
        page = json.loads(path.read_text())
        principals = page["RoleDetailList"] + page["UserDetailList"]
        for principal in principals[: PRINCIPALS * number // len(pages) - attached]:
            name = POLICIES[attached % len(POLICIES)]
            policy = {"PolicyName": name, "PolicyArn": f"arn:aws:iam::aws:policy/{name}"}
            principal["AttachedManagedPolicies"].append(policy)
            attached += 1
        path.write_text(json.dumps(page))
    return attached


def has_perf():
    command = ["perf", "stat", "-x,", "-e", "instructions:u", "true"]
    try:
        counted = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return False
    return counted.returncode == 0 and counted.stderr.split(",")[0].strip().isdigit()


def run(command):
    """CPU seconds and peak memory in MB of one command."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status) not in (0, 3):
        sys.exit(f"{command[0]} failed")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def instructions(command):
    with tempfile.NamedTemporaryFile("r") as counted:
        run(["perf", "stat", "-x,", "-e", "instructions:u", "-o", counted.name, *command])
        lines = [line for line in counted.read().splitlines() if "instructions" in line]
        return int(lines[0].split(",")[0])


def line(what, value):
    print(f"{what:<44}{value}")


def main():
    program, corpus, work = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
    iam, out = work / "derive-iam", work / "derive-out"
    attached = with_large_policies(corpus / "iam", iam)
    base = [program, "analyze", str(corpus), "--iam", str(iam), "--out", str(out), "--quiet"]

    def measured(measure, *more):
        shutil.rmtree(out, ignore_errors=True)
        return measure([*base, *more])

    rounds = int(os.environ.get("RETRIAL_BENCH_ROUNDS", ROUNDS))
    without, whole = [], []
    for _ in range(rounds):
        without.append(measured(run, "--no-findings"))
        whole.append(measured(run))
    line("calls", f"{json.loads((corpus / 'truth.json').read_text())['records']:,}")
    line("principals with AWS's large policies", f"{attached} ({', '.join(POLICIES)})")
    least = [min(cpu for cpu, _ in runs) for runs in (without, whole)]
    line("CPU, with the derived tables / without", f"{least[1] / least[0]:.2f} (target: {MOST_CPU})")
    if has_perf():
        counts = [measured(instructions, "--no-findings"), measured(instructions)]
        line("instructions, with / without", f"{counts[1] / counts[0]:.2f} ({counts[0] / 1e9:.1f}e9)")
    most = [max(memory for _, memory in runs) for runs in (without, whole)]
    line("peak memory", f"{most[1]:.0f} MB (target: {MOST_MEMORY}; without them {most[0]:.0f})")
    status = [program, "status", "--out", str(out)]
    subprocess.run(status, stdout=subprocess.DEVNULL, check=True)


main()
